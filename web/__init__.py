"""The enforcement desk (HTTP API, map, evidence viewer); built in version 0.9."""

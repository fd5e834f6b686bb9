"""The synthetic demo county with known truth."""

"""Packages for inspectors, and what comes back from the field."""

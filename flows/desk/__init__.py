"""Runs at the desk: taken in, served, exported, backed up."""

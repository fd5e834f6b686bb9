"""Compiled loops over outlines: plain functions of arrays."""

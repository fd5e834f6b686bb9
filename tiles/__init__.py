"""Imagery in: scenes, grid, registration, calibration, block reads, chips, rasters out."""

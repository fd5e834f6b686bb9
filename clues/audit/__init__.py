"""Audit: events in a chain, hashes of rows, checkpoints, and the check of them all."""

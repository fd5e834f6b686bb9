"""Alembic migrations of the clue store."""

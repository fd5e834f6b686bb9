"""The clue store: schema, migrations, repository."""

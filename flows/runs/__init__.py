"""Run folders looked at from outside: listed, shown, verified, pruned, planned."""

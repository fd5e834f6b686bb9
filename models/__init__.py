"""What the land is now: features, samples, forest, change type, accuracy."""

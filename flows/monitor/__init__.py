"""A growing series of images, version after version."""

"""Typed settings, presets, rule sets, vocabularies, layer profiles, sensors, errors."""

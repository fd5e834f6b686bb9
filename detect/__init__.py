"""What changed: change statistics, thresholds, joined components, patches."""

"""Models learned from runs, from verdicts and from labelled pairs."""

"""Order of steps: Prefect flows, stages, manifest, workers, command line, demo county."""

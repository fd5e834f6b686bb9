"""The flows on a Prefect server: deployments, forms, pages, stale flow runs."""

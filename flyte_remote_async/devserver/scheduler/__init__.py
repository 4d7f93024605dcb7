"""Launch plans with a schedule: what Flyte takes for one, when it runs, and who runs it."""

"""The hub: one place that looks at all executions that are waited for, and tells those who wait."""

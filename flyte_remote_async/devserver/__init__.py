"""An embedded Flyte 1.x control plane for tests, demos and local work."""

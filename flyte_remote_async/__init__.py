"""An async-first SDK for the Flyte 1.x control plane."""

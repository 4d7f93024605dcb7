"""The flyte-remote command."""

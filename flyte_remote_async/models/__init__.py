"""Values that mirror the messages of Flyte: frozen, lossless, without I/O."""

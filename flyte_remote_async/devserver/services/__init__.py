"""The services of the control plane: what each RPC does, over the store."""

"""Ways to the control plane: backends that carry bytes, and what wraps them."""

"""Ways to stored bytes beside the control plane itself."""

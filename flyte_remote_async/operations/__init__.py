"""What the verbs of a remote do: each module takes an open way to the control plane and brings values back."""

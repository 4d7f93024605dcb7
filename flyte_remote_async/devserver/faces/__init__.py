"""What clients talk to: gRPC on a socket, and the same handlers in this process."""

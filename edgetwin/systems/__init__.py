"""What is built on the twins: complete systems, each in a room of its own."""

"""Systems built on the twins; each is a room of its own and none imports another."""

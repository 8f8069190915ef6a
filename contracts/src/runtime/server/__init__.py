"""The HTTP server of every process: who the client is, what it may use, and for how long."""

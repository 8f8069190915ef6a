"""Many sockets, few decisions: a Pusher-compatible WebSocket gateway."""

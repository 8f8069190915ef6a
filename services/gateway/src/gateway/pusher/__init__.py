"""The Pusher Channels protocol 7 without a socket, a clock or a task: everything here can be tested with strings."""

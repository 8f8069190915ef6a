"""The Pusher HTTP API: what backends ask of the gateway, one module for each noun."""

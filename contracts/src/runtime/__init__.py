"""What every Leadwire process does alike: JSON logs, health and metrics, its NATS connection, ordered publishing."""

"""What the Leadwire services agree on: facts, names, wire forms. No process, no clock, no socket."""

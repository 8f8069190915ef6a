"""Runs, tests and looks into a whole Leadwire on one machine."""

"""The composition roots, one a command: the only places that read settings, own clocks and make ids.

Each is a module of its own, so that a process imports no more than it runs.
"""

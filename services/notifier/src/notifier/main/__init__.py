"""The composition roots, one a command: the only places that own a clock, make ids and read settings.

Each is a module of its own, so that a process imports no more than it runs.
"""

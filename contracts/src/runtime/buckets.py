"""Where histograms are cut."""

from typing import Final

DELAYS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)
"""Seconds by which something is late: milliseconds on a good day, minutes on a bad one."""

"""Decides who hears about what, and stores it once."""

"""Decides about leads and owns their log."""

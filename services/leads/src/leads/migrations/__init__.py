"""The schema of the leads database, step by step."""

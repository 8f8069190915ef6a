"""PostgreSQL: the log, and what is kept beside it in the same transaction."""

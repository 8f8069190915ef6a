"""Alembic's entry: runs the steps, each in a transaction, on the connection that `runtime.migrations` hands over."""

from alembic import context

context.configure(
    connection=context.config.attributes["connection"], target_metadata=None, transaction_per_migration=True
)

with context.begin_transaction():
    context.run_migrations()

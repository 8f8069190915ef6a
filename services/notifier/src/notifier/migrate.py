"""Bring the database to what this release needs. Any number may run at once, any number of times."""

from typing import Final

from runtime.migrations import Migrations

MIGRATIONS: Final = Migrations("notifier", readers=("notifier_app", "notifier_writer"))

migrate = MIGRATIONS.run
wait_for_migration = MIGRATIONS.wait
revisions = MIGRATIONS.revisions

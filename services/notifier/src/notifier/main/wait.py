"""`python -m notifier wait`."""

from notifier.main import read
from notifier.migrate import wait_for_migration
from notifier.settings import DatabaseSettings
from runtime import logs


def run() -> int:
    """Return 0 when the database is migrated for this release."""
    database = read.settings(DatabaseSettings)
    logs.configure("notifier", database.log_level)
    wait_for_migration(database.database_url.get_secret_value())
    return 0

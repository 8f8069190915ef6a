"""`python -m notifier migrate`."""

from notifier.main import read
from notifier.migrate import migrate
from notifier.settings import DatabaseSettings
from runtime import logs


def run() -> int:
    """Bring the database to this release, and return the exit code."""
    database = read.settings(DatabaseSettings)
    logs.configure("notifier", database.log_level)
    migrate(database.database_url.get_secret_value())
    return 0

"""`python -m leads wait`."""

from leads.main import read
from leads.migrate import wait_for_migration
from leads.settings import WaitSettings
from runtime import logs


def run() -> None:
    settings = read.settings(WaitSettings)
    logs.configure("leads-wait", settings.log_level)
    wait_for_migration(settings.database_url.get_secret_value())

"""`python -m leads rebuild`."""

import psycopg

from leads.main import read
from leads.main.progress import Progress
from leads.rebuild import Busy, NoQuietMoment, rebuild
from leads.settings import RebuildSettings
from runtime import logs


def run(*, processes: int, anew: bool) -> None:
    settings = read.settings(RebuildSettings)
    logs.configure("leads-rebuild", settings.log_level)
    progress = Progress("rebuild", "facts")
    url = settings.database_url.get_secret_value()
    try:
        facts = rebuild(url, processes=processes, anew=anew, report=progress.note, show=progress.show)
    except Busy:
        read.refuse("a migration or another rebuild is under way", code=1)
    except NoQuietMoment:
        read.refuse("the tables were in use all the time; the same command goes on with the last step", code=1)
    except psycopg.Error as error:
        read.refuse(f"the database refuses: {read.reason(error)}; the same command goes on", code=1)
    except KeyboardInterrupt:
        progress.note("nothing has changed; the same command goes on")
        raise SystemExit(130) from None
    progress.note(f"done: the read models follow from {facts:,} facts")

"""`python -m leads worker`."""

import contextlib
import sys
from collections.abc import AsyncIterator
from typing import Final
from uuid import uuid4

from starlette.applications import Starlette

from leads.main import read, serving
from leads.settings import WorkerSettings
from leads.steps import Steps
from leads.store.database import Database
from leads.store.directory import Directory
from leads.views import Views
from leads.worker import STILL, Worker
from runtime import logs, pools
from runtime.tasks import Duty

POOL: Final = 4  # connections: one for the step in hand, one for what is read ahead, and those of probes
READ_TIMEOUT: Final = 30.0  # seconds one look at a filter's leads may take: nobody waits for it


def run() -> None:
    settings = read.settings(WorkerSettings)
    logs.configure("leads-worker", settings.log_level)
    database = Database.connect(settings.database_url.get_secret_value(), pool_size=POOL, read_timeout=READ_TIMEOUT)
    pools.tell(database)
    name = uuid4()
    steps = Steps(database, Directory(database), Views(database), worker=name, lease=settings.lease_seconds)
    worker = Worker(database, steps, worker=name, lease=settings.lease_seconds)

    @contextlib.asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        working.begin(worker.run())
        try:
            yield
        finally:
            await working.end(worker.stop)
            await database.close()

    async def postgres() -> str | None:
        await database.ping()
        return None

    async def work() -> str | None:
        return f"nothing for {worker.still_for:.0f} s" if worker.still_for > STILL else None

    server = serving.admin_only(settings, {"postgres": postgres, "work": work}, lifespan=lifespan)
    working = Duty(lambda: setattr(server, "should_exit", True))
    server.run()
    sys.exit(working.exit_code)

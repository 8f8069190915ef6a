"""The notifier as a whole: connected to NATS, consuming while it is the active process."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Final

import structlog
from nats.aio.client import Client
from nats.errors import Error

from contracts import streams, subjects
from notifier.batches import BatchHandler, Outlets
from notifier.confirming import Confirming
from notifier.effects import Effects
from notifier.feed import Entry
from notifier.health import Progress
from notifier.jobs import JobSignals
from notifier.leader import Leader
from notifier.leads_client import LeadsClient
from notifier.memory import Memory
from notifier.outflow import Outflow
from notifier.published import PushStream
from notifier.pulse import Spawn
from notifier.retention import Retention
from notifier.retries import Retries
from notifier.stats import StatsPusher
from notifier.store import Store
from notifier.subscriber import FactSubscriber, SteadyBroker
from notifier.truth import Truth
from notifier.waiting import Backoff
from notifier.whereabouts import Whereabouts
from runtime import broker
from runtime.broker import connection_options
from runtime.live import LiveClient, read_headers_plainly
from runtime.server.admin import Check
from runtime.stream_health import STORAGE, StoreHealth, StreamHealth
from runtime.windows import WindowPublisher

STOP_SECONDS: Final = 3.0  # for the batch in hand, and again for what is left to be sent
RETRY: Final = 1.0  # seconds until consuming is tried again

_log = structlog.stdlib.get_logger("notifier.service")


class Notifier:
    """One notifier process, without its HTTP port."""

    def __init__(  # noqa: PLR0913 - named, each of them a setting or a source of the composition root
        self,
        *,
        database_url: str,
        nats_url: str,
        app_id: str,
        kept_notifications: int,
        clock: Callable[[], float],
        chance: Callable[[], float],
        new_id: Callable[[], str],
    ) -> None:
        options = connection_options(nats_url, "notifier")
        self._broker = SteadyBroker(
            nats_url,
            apply_types=False,
            graceful_timeout=STOP_SECONDS,
            logger=logging.getLogger("notifier.faststream"),
            log_level=logging.DEBUG,
        )
        self._facts = FactSubscriber(self._broker, inbox_prefix=options["inbox_prefix"])
        self._leader = Leader(database_url, clock, lambda: self._health.answers(f"stream {streams.PUSH}"))
        self._progress = Progress(clock)
        self._health = StreamHealth(
            streams=(streams.PUSH, streams.DEAD),
            consumers={(streams.CRM, streams.NOTIFIER): self._progress.on_consumer},
            clock=clock,
        )
        self._storage = StoreHealth(subjects.PUSH_PROBE)
        self._app_id = app_id
        self._kept_notifications = kept_notifications
        self._clock = clock
        self._chance = chance
        self._new_id = new_id
        self._confirming: Confirming | None = None
        self._nats_url = nats_url
        self._nats: Client | None = None
        self._own: Client | None = None

    async def run(self, stopping: asyncio.Event) -> None:
        """Connect, waiting for NATS as long as it takes; then consume or stand by until `stopping`."""
        async with asyncio.TaskGroup() as tasks:
            running = tasks.create_task(self._run(tasks.create_task, stopping))
            await stopping.wait()
            if self._own is None:
                running.cancel()
        if self._own is not None:
            await broker.close(self._own)
        with suppress(Error, TimeoutError):
            await asyncio.wait_for(self._broker.stop(), STOP_SECONDS)

    def checks(self) -> Mapping[str, Check]:
        """Return what readiness asks."""

        async def facts() -> str | None:
            if self._nats is None or not self._nats.is_connected:
                return "not connected"
            await self._nats.flush()
            return None

        async def progress() -> str | None:
            return await self._progress.check(is_active=self._leader.is_active)

        async def epoch() -> str | None:
            return None if self._confirming is None else await self._confirming.check()

        return {
            "database": self._leader.check,
            "facts": facts,
            "progress": progress,
            **self._health.checks(),
            STORAGE: self._storage.check,
            "epoch": epoch,
        }

    async def _run(self, spawn: Spawn, stopping: asyncio.Event) -> None:
        self._nats = facts = await self._broker.connect()
        assert isinstance(facts, LiveClient)
        read_headers_plainly(facts)
        # Facts come over FastStream's connection; all else goes over one of our own, which takes answers in bulk.
        self._own = client = await broker.connect(self._nats_url, "notifier")
        publisher = WindowPublisher(client)
        watching = [
            spawn(self._health.run(client)),
            spawn(self._storage.run(client)),
            *(spawn(broker.tend(one, streams.PUSH)) for one in (facts, client)),
        ]

        @asynccontextmanager
        async def work(store: Store) -> AsyncIterator[None]:
            async with self._consuming(publisher, store, spawn):
                yield

        await self._leader.run(work, stopping)
        for task in watching:
            task.cancel()

    @asynccontextmanager
    async def _consuming(self, publisher: WindowPublisher, store: Store, spawn: Spawn) -> AsyncIterator[None]:
        client = publisher.client
        js, leads = client.jetstream(), LeadsClient(client)
        pushes = PushStream(js, publisher, finished=await store.push_sequence(), on_failure=self._storage.failed)
        effects = Effects(js, pushes, store, app_id=self._app_id)
        stats = StatsPusher(js, leads, store, app_id=self._app_id, spawn=spawn, backoff=self._backoff())
        jobs = JobSignals(js, store, app_id=self._app_id, spawn=spawn, backoff=self._backoff())
        outflow = Outflow(effects, backoff=self._backoff())
        retention = Retention(store, kept=self._kept_notifications)
        memory = Memory(time.time)
        truth = Truth(leads, effects, app_id=self._app_id, new_id=self._new_id)
        handler = BatchHandler(
            Outlets(effects=effects, store=store, stats=stats, jobs=jobs, memory=memory),
            leads,
            truth,
            app_id=self._app_id,
            backoff=self._backoff(),
            on_progress=self._progress.progressed,
        )

        def applied(entry: Entry) -> None:
            if entry.reaction.changes_stats:
                stats.mark(entry.company_id)
            if entry.reaction.job_id is not None:
                jobs.mark(entry.company_id)

        retries = Retries(js, effects, store, app_id=self._app_id, on_applied=applied)
        await stats.resume()
        await jobs.resume()
        starting = spawn(self._start(handler))
        flowing, forgetting = spawn(outflow.run()), spawn(retention.run())
        self._confirming = confirming = Confirming(handler, truth, store)
        asking = spawn(confirming.run())
        stop_answering = await retries.listen(client)
        stop_telling = await Whereabouts(client, store, memory, app_id=self._app_id).listen()
        try:
            yield
        finally:
            with suppress(Error):
                await stop_answering()
                await stop_telling()
            handler.stop()
            outflow.stop()
            retention.stop()
            confirming.stop()
            starting.cancel()
            await asyncio.wait([starting, flowing, forgetting, asking])
            self._confirming = None
            await self._facts.stop()
            stats.stop()
            jobs.stop()

    def _backoff(self) -> Backoff:
        return Backoff(self._clock, chance=self._chance)

    async def _start(self, handler: BatchHandler) -> None:
        while True:
            await self._progress.consumer_exists.wait()
            try:
                await self._facts.start(handler.handle)
            except (Error, TimeoutError) as error:
                _log.warning("consuming not started", error=type(error).__name__)
                await asyncio.sleep(RETRY)
            else:
                return

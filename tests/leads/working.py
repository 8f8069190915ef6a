"""A worker in this process, that works until nothing is left to do."""

from uuid import UUID, uuid4

from leads.domain.jobs import ENDED, Job
from leads.steps import LostJob, Steps
from leads.store.database import Database
from leads.store.directory import Directory
from leads.views import Views


class Hand:
    """Takes steps one by one, as the test wants them."""

    def __init__(self, database: Database, *, lease: float = 60.0) -> None:
        self._database = database
        self._lease = lease
        self.name = uuid4()
        self.steps = Steps(database, Directory(database), Views(database), worker=self.name, lease=lease)

    async def claim(self) -> tuple[UUID, Job] | None:
        claimed = await self._database.claim_job(self.name, self._lease)
        if claimed is None:
            return None
        return claimed[0], await self.steps.job(*claimed)

    async def one_step(self) -> Job | None:
        """Claim a job, take one step of it, let go of it."""
        claimed = await self.claim()
        if claimed is None:
            return None
        company_id, job = claimed
        job = await self.steps.take(company_id, job)
        if job.state not in ENDED:
            await self.steps.release(company_id, job)
        return job

    async def work(self) -> list[Job]:
        """Work until there is nothing to do, and return the jobs that ended."""
        ended = []
        while (job := await self.one_step()) is not None:
            if job.state in ENDED:
                ended.append(job)
        return ended


__all__ = ["Hand", "LostJob"]

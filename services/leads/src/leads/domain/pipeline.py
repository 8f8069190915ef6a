"""The rules about a company's pipeline."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from contracts.events import Pipeline, PipelineChanged, Stage
from leads.domain.company import Company, SettingsRefusal

MOST_STAGES: Final = 50
KEY: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")


class InvalidPipeline(SettingsRefusal):
    """Stages that make no pipeline; `errors` holds (JSON Pointer, what is wrong)."""

    code = "invalid_pipeline"

    def __init__(self, errors: Sequence[tuple[str, str]]) -> None:
        super().__init__(self.code)
        self.errors = errors


class StageInUse(SettingsRefusal):
    """A stage that is to go still has leads; `leads` holds stage key → how many, or the bound of the count."""

    code = "stage_in_use"

    def __init__(self, leads: Mapping[str, int]) -> None:
        super().__init__(self.code)
        self.leads = leads


class StalePipeline(SettingsRefusal):
    """The pipeline is no longer the one the author looked at."""

    code = "stale_version"


def require_version(company: Company, version: int | None) -> None:
    """Refuse a change whose author looked at another pipeline; None stands for any."""
    if version is not None and company.pipeline.version != version:
        raise StalePipeline


def missing(company: Company, stages: Sequence[Stage]) -> list[str]:
    """Return the keys of the stages that would go."""
    kept = {stage.key for stage in stages}
    return [stage.key for stage in company.pipeline.stages if stage.key not in kept]


def replace(company: Company, stages: Sequence[Stage], in_use: Mapping[str, int]) -> PipelineChanged | None:
    """Return the fact of another pipeline; None when it is the one there is.

    Args:
        company: whose pipeline.
        stages: the new one's, in order; the first one is where leads start.
        in_use: of the stages that would go, those that have leads, and how many.

    Raises:
        InvalidPipeline: the stages make none.
        StageInUse: leads would lose their stage: they have to be moved before.
    """
    stages = valid(stages)
    if in_use:
        raise StageInUse(in_use)
    if stages == company.pipeline.stages:
        return None
    return PipelineChanged(pipeline=Pipeline(stages=stages, version=company.pipeline.version + 1))


def valid(stages: Sequence[Stage]) -> tuple[Stage, ...]:
    """Return stages that make a pipeline.

    Raises:
        InvalidPipeline: they make none.
    """
    if errors := list(_errors(stages)):
        raise InvalidPipeline(errors)
    return tuple(stages)


def _errors(stages: Sequence[Stage]) -> Iterator[tuple[str, str]]:
    if not 0 < len(stages) <= MOST_STAGES:
        yield "/stages", f"Should be 1 to {MOST_STAGES} stages"
        return
    if stages[0].kind != "open":
        yield "/stages/0/kind", "Should be open: new leads start here"
    keys = [stage.key for stage in stages]
    for index, stage in enumerate(stages):
        place = f"/stages/{index}"
        if not KEY.fullmatch(stage.key):
            yield f"{place}/key", "Should be 1 to 40 lower-case letters, digits, hyphens and underscores"
        elif stage.key in keys[:index]:
            yield f"{place}/key", "Should not be the key of an earlier stage"
        if not stage.name.strip():
            yield f"{place}/name", "Should not be blank"
        if stage.reason_required and stage.kind != "lost":
            yield f"{place}/reason_required", "Should be true only for a stage of the kind lost"
        following = stage.next or ()
        if not set(following) <= set(keys):
            yield f"{place}/next", "Should be keys of stages of this pipeline"
        elif stage.key in following or len(set(following)) < len(following):
            yield f"{place}/next", "Should be other stages, each once"

"""What `LEADS_LISTENERS` may say, and what the migrate step makes of it."""

import pytest
from pydantic import ValidationError

from contracts import streams
from leads.migrate import ensure_streams
from leads.settings import MigrateSettings
from support.servers import NatsServer


def settings(listeners: object) -> MigrateSettings:
    return MigrateSettings.model_validate({"database_url": "x", "nats_url": "y", "listeners": listeners})


@pytest.mark.parametrize("subjects", ["crm.>", "crm.9b1c.>", "crm.*.lead.>", "crm.9b1c.lead.*.created"])
def test_a_listener_hears_facts(subjects: str) -> None:
    assert settings({"billing": subjects}).listeners == {"billing": subjects}


@pytest.mark.parametrize(
    "listeners",
    [
        {"notifier": "crm.>"},
        {"a.b": "crm.>"},
        {"*": "crm.>"},
        {"": "crm.>"},
        {"billing": ">"},
        {"billing": "push.>"},
        {"billing": "crm.>.x"},
        {"billing": "crmx.>"},
    ],
)
def test_what_is_not_a_listener_of_facts_is_refused(listeners: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        settings(listeners)


async def test_migrating_makes_the_consumers_of_listeners(nats: NatsServer) -> None:
    for subjects in ("crm.c1.>", "crm.c2.>"):  # the second time it is changed
        await ensure_streams(nats.url("migrate"), replicas=1, listeners={"billing": subjects})

        async with nats.client() as operator:
            info = await operator.jetstream().consumer_info(streams.CRM, "billing")
        assert (info.config.filter_subject, info.config.max_ack_pending) == (subjects, 1)

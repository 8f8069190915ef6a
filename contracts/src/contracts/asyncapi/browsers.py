"""The part of the document about what browsers hear."""

import json
from collections.abc import Mapping
from typing import Final

from contracts.asyncapi import samples
from contracts.asyncapi.shapes import PARAMETERS, Json
from contracts.channels import CompanyChannel, CrmChannel, LeadChannel, StatsChannel, UserChannel
from contracts.documented import summary_of
from contracts.heard import HEARD, Heard

ADDRESSES: Final[Mapping[type[CrmChannel], tuple[str, str]]] = {
    CompanyChannel: ("private-company.{company}", "company"),
    StatsChannel: ("private-cache-company.{company}.stats", "company"),
    LeadChannel: ("presence-lead.{lead}", "lead"),
    UserChannel: ("private-user.{user}", "user"),
}


def channels() -> Json:
    """Return the channels of the CRM on which anything is heard."""
    found: Json = {}
    for channel in dict.fromkeys(heard.channel for heard in HEARD):
        address, parameter = ADDRESSES[channel]
        events = [heard for heard in HEARD if heard.channel is channel]
        found[channel.__name__] = {
            "address": address,
            "title": summary_of(channel),
            "description": "A Pusher channel. Echo wants a dot before an event's name: `.listen('.lead.created', …)`.",
            "servers": [{"$ref": "#/servers/gateway"}],
            "parameters": {parameter: PARAMETERS[parameter]},
            "messages": {heard.event: {"$ref": f"#/components/messages/{_message_name(heard)}"} for heard in events},
            "tags": [{"name": "browsers"}],
        }
    return found


def messages() -> Json:
    """Return a message for each event of a channel."""
    return {
        _message_name(heard): {
            "name": heard.event,
            "title": heard.event,
            "summary": f"{heard.when[0].upper()}{heard.when[1:]}.",
            "description": "The data as client libraries hand it on; on the wire it is a JSON text inside the frame.",
            "payload": {"$ref": f"#/components/schemas/{heard.payload.__name__}"},
            "examples": [{"payload": json.loads(samples.HEARD[heard.event])}],
        }
        for heard in HEARD
    }


def _message_name(heard: Heard) -> str:
    return f"{heard.channel.__name__}.{heard.event}"

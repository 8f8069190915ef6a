"""The part of the document about the other subjects of NATS: requests, pushes, dead letters."""

import json
from collections.abc import Iterable
from typing import Final

from pydantic import TypeAdapter

from contracts import dead, push, streams
from contracts.asyncapi import samples
from contracts.asyncapi.shapes import KEPT, PARAMETERS, Json, entire
from contracts.channels import CompanyChannel
from contracts.push import CORRELATION_HEADER, MESSAGE_ID_HEADER, Stats

_TEXT: Final[Json] = {"type": "string"}


def channels() -> Json:
    """Return the channels of requests and of what is inside."""
    return {
        "statsRequest": _broker_channel(
            "rpc.leads.stats.{company}", "Asks for a company's figures.", ("company",), ("statsRequest",), "requests"
        ),
        "changesRequest": _broker_channel(
            "rpc.leads.changes.{company}",
            "Asks for a company's facts after a position; reaches back to the first one.",
            ("company",),
            ("changesRequest",),
            "requests",
        ),
        "reply": _broker_channel(None, "The asker's inbox.", (), ("statsReply", "changesReply", "refusal"), "requests"),
        "push": _broker_channel(
            "push.{app}.{channel}",
            f"What gateways write to sockets, kept on the stream `{streams.PUSH}` and handed on as `live.…`.",
            ("app", "channel"),
            ("frame", "order"),
            "inside",
        ),
        "live": _broker_channel(
            "live.{app}.{channel}",
            "What the stream has just stored, and client events, which are not stored.",
            ("app", "channel"),
            ("frame", "order"),
            "inside",
        ),
        "dead": _broker_channel(
            "dead.{consumer}",
            f"What a consumer could not process, kept on the stream `{streams.DEAD}` for {KEPT[streams.DEAD]}.",
            ("consumer",),
            ("deadLetter",),
            "inside",
        ),
    }


def _broker_channel(
    address: str | None, description: str, parameters: Iterable[str], messages: Iterable[str], tag: str
) -> Json:
    return {
        "address": address,
        "description": description,
        "servers": [{"$ref": "#/servers/nats"}],
        **({"parameters": {name: PARAMETERS[name] for name in parameters}} if address else {}),
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in messages},
        "tags": [{"name": tag}],
        "bindings": {"nats": {}},
    }


def messages() -> Json:
    """Return what these channels carry."""
    change = json.loads(samples.sample("crm.lead.created.v1").to_json())
    place = {
        "position": {"type": "integer", "minimum": 0, "description": "The company's last feed position."},
        "epoch": {"type": "string", "description": "The log's epoch: positions of different epochs do not compare."},
    }
    shared: Json = {"type": ["integer", "null"], "minimum": 0}
    common = {
        "shared": {
            "type": "object",
            "additionalProperties": shared,
            "description": "By epoch: the last position up to which the company's feed is the same still; null: all.",
        },
        "shared_with_others": {**shared, "description": "The same for an epoch that is not named."},
    }
    return {
        "statsRequest": {
            "summary": "No member; the body may be empty.",
            "payload": {"type": "object"},
            "examples": [{"payload": {}}],
        },
        "statsReply": {
            "summary": "The figures, and the position that they reflect.",
            "payload": entire({"data": {"$ref": "#/components/schemas/Stats"}, **place}),
            "examples": [
                {
                    "payload": {
                        "data": TypeAdapter(Stats).dump_python(samples.STATS, mode="json"),
                        "position": 128,
                        "epoch": samples.EPOCH,
                    }
                }
            ],
        },
        "changesRequest": {
            "summary": "The last position already known.",
            "payload": {
                "type": "object",
                "properties": {
                    "after": {"type": "integer", "minimum": 0, "default": 0},
                    "limit": {"type": "integer", "minimum": 1, "maximum": 500, "default": 200},
                },
                "additionalProperties": False,
            },
            "examples": [{"payload": {"after": 127}}],
        },
        "changesReply": {
            "summary": "Envelopes as the stream carries them, oldest first; at least one as long as there is any.",
            "payload": entire(
                {"data": {"type": "array", "items": {"$ref": "#/components/schemas/Envelope"}}, **place, **common}
            ),
            "examples": [
                {
                    "payload": {
                        "data": [change],
                        "position": 128,
                        "epoch": samples.EPOCH,
                        "shared": {samples.EPOCH: None},
                        "shared_with_others": None,
                    }
                }
            ],
        },
        "refusal": {
            "summary": "Why there is no answer.",
            "payload": entire(
                {"error": {"enum": ["malformed_request", "unknown_company", "unavailable", "internal_error"]}}
            ),
            "examples": [{"payload": {"error": "unknown_company"}}],
        },
        "frame": _frame_message(),
        "order": {
            "summary": "An order to the gateways, not to clients: close the connections of the user of this channel.",
            "contentType": "application/octet-stream",
            "headers": entire(
                {MESSAGE_ID_HEADER: _TEXT, push.CONTROL_HEADER: {"enum": [push.TERMINATE, push.SEND_BACK]}}
            ),
        },
        "deadLetter": {
            "summary": "The body of the message as it came, the cause in its headers.",
            "contentType": "application/octet-stream",
            "headers": {
                "type": "object",
                "properties": {
                    MESSAGE_ID_HEADER: _TEXT,
                    dead.CAUSE_HEADER: {"type": "string", "description": "Why, without personal data."},
                    dead.SUBJECT_HEADER: {"type": "string", "description": "The subject the message came from."},
                    dead.SEQUENCE_HEADER: {"type": "string", "description": "Its sequence in the stream it came from."},
                    dead.STACK_HEADER: {"type": "string", "description": "Where it failed, outermost first."},
                    dead.EVENT_HEADER: {"type": "string", "description": "The name of the fact, if it could be read."},
                    dead.COMPANY_HEADER: {"type": "string", "description": "Its company, if it could be read."},
                    dead.POSITION_HEADER: {"type": "string", "description": "Its feed position, if it could be read."},
                    CORRELATION_HEADER: _TEXT,
                },
                "patternProperties": {
                    f"^{dead.ORIGINAL_PREFIX}": {"type": "string", "description": "A header that it came with."}
                },
                "required": [MESSAGE_ID_HEADER, dead.CAUSE_HEADER, dead.SUBJECT_HEADER],
            },
        },
    }


def _frame_message() -> Json:
    channel, data = samples.CHANNELS[CompanyChannel], samples.HEARD["lead.created"]
    return {
        "summary": "A finished Pusher frame; gateways write it unread.",
        "headers": {
            "type": "object",
            "properties": {
                MESSAGE_ID_HEADER: {"type": "string", "description": "The event id and the channel: stored once."},
                push.EXCEPT_SOCKET_HEADER: {
                    "type": "string",
                    "description": "The socket that must not hear it: its author's.",
                },
                CORRELATION_HEADER: _TEXT,
                push.SEQUENCE_HEADER: {
                    "type": "string",
                    "description": "On `live.`: its number in the stream; none if not stored.",
                },
                push.PREDECESSOR_HEADER: {
                    "type": "string",
                    "description": "On `live.`: the number before it on this channel.",
                },
            },
        },
        "payload": {
            "type": "object",
            "properties": {
                "event": _TEXT,
                "channel": _TEXT,
                "data": {"type": "string", "contentMediaType": "application/json"},
            },
            "required": ["event", "channel", "data"],
        },
        "examples": [{"payload": {"event": "lead.created", "channel": channel, "data": data}}],
    }

"""Puts the AsyncAPI 3.0 document together from what the code declares. Pure.

The application that it describes is Leadwire as a whole: what it sends, others may hear.
"""

import json
from collections.abc import Mapping
from typing import Final

from contracts.asyncapi import broker, browsers, facts
from contracts.asyncapi.shapes import Json, schemas
from contracts.events import TYPES

QUEUE: Final = "leads"
"""The queue group in which the processes of the leads service answer."""

_INFO: Final[Json] = {
    "title": "Leadwire",
    "version": "0.1.0",
    "description": (
        "An event-sourced CRM. What happened is a fact with a dense position in its company's feed: 1, 2, 3 … "
        "Facts are CloudEvents 1.0 on NATS; browsers hear what follows from them over the Pusher protocol. "
        "Delivery is at least once and in order per company: remember the last `feedposition`, ignore what is at or "
        "below it, and ask `rpc.leads.changes.<company>` for what a jump leaves out."
    ),
    "license": {"name": "MIT"},
    "tags": [
        {"name": "facts", "description": "What happened, for other services."},
        {"name": "browsers", "description": "What screens hear."},
        {"name": "requests", "description": "Questions that are answered over NATS."},
        {"name": "inside", "description": "How parts of Leadwire speak with each other; not promised to others."},
    ],
}
_SERVERS: Final[Json] = {
    "nats": {
        "host": "{host}:4222",
        "protocol": "nats",
        "description": "JetStream. Other services come in through an account of their own; the prefix of the JetStream "
        "API is `leadwire` there.",
        "variables": {"host": {"default": "127.0.0.1"}},
        "security": [{"$ref": "#/components/securitySchemes/natsUser"}],
        "bindings": {"nats": {}},
        "tags": [{"name": "facts"}],
    },
    "gateway": {
        "host": "{host}:6001",
        "pathname": "/app/{key}",
        "protocol": "ws",
        "description": "WebSocket, Pusher protocol 7: pusher-js and Laravel Echo connect to it unmodified.",
        "variables": {"host": {"default": "127.0.0.1"}, "key": {"description": "The app's key."}},
        "security": [{"$ref": "#/components/securitySchemes/channelAuthorization"}],
        "tags": [{"name": "browsers"}],
    },
}
_SECURITY: Final[Json] = {
    "natsUser": {
        "type": "userPassword",
        "description": "Each service has an account and a user (deploy/nats/nats.conf).",
    },
    "channelAuthorization": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "Each channel is signed: the client library asks `POST /broadcasting/auth` of the leads "
        "service, which takes the access token and lets nobody into another company's channels.",
    },
}


def generated() -> str:
    """Return the document of the code, as it is committed."""
    return json.dumps(document(), indent=2, ensure_ascii=False) + "\n"


def document() -> Json:
    """Return the document."""
    channels = {**facts.channels(), **browsers.channels(), **broker.channels()}
    return {
        "asyncapi": "3.0.0",
        "id": "urn:leadwire",
        "info": _INFO,
        "defaultContentType": "application/json",
        "servers": _SERVERS,
        "channels": channels,
        "operations": _operations(channels),
        "components": {
            "schemas": schemas(),
            "messages": {**facts.messages(), **browsers.messages(), **broker.messages()},
            "messageTraits": {"fact": facts.TRAIT},
            "securitySchemes": _SECURITY,
        },
    }


def _operations(channels: Mapping[str, Json]) -> Json:
    sends = [name for name in channels if name in TYPES or name in {"push", "live", "dead"}]
    return {
        **{f"send.{name}": _operation("send", name, channels[name]) for name in (*sends, *browsers.channels())},
        "answer.stats": _answering("statsRequest", channels["statsRequest"], "statsReply"),
        "answer.changes": _answering("changesRequest", channels["changesRequest"], "changesReply"),
    }


def _operation(action: str, name: str, channel: Json) -> Json:
    return {
        "action": action,
        "channel": {"$ref": f"#/channels/{name}"},
        "messages": [{"$ref": f"#/channels/{name}/messages/{message}"} for message in channel["messages"]],
        "tags": channel["tags"],
    }


def _answering(name: str, channel: Json, reply: str) -> Json:
    return {
        **_operation("receive", name, channel),
        "bindings": {"nats": {"queue": QUEUE, "bindingVersion": "0.1.0"}},
        "reply": {
            "channel": {"$ref": "#/channels/reply"},
            "messages": [{"$ref": f"#/channels/reply/messages/{message}"} for message in (reply, "refusal")],
        },
    }

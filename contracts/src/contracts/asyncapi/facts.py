"""The part of the document about facts: a channel and a message each."""

import json
from collections.abc import Mapping
from typing import Final

from contracts import envelope, streams
from contracts.asyncapi import samples
from contracts.asyncapi.shapes import KEPT, PARAMETERS, Json
from contracts.documented import summary_of
from contracts.events import TYPES, event_of, kind_of
from contracts.push import CORRELATION_HEADER, MESSAGE_ID_HEADER

_ABOUT: Final[Mapping[str, str]] = {
    "lead": "The id of the lead.",
    "user": "The id of the user.",
    "pipeline": "The id of the company again: it has one pipeline.",
    "import": "The id of the import.",
    "job": "The id of the job.",
}
TRAIT: Final[Json] = {
    "contentType": envelope.CONTENT_TYPE,
    "headers": {
        "type": "object",
        "properties": {
            MESSAGE_ID_HEADER: {
                "type": "string",
                "description": "The event id; after a reseed of the stream `<event id>:r<generation>`.",
            },
            CORRELATION_HEADER: {"type": "string", "description": "Follows one request through every process."},
        },
        "required": [MESSAGE_ID_HEADER],
    },
    "correlationId": {"location": f"$message.header#/{CORRELATION_HEADER}"},
    "bindings": {"nats": {}},
}
"""What all messages have in common."""


def channels() -> Json:
    """Return a channel for each fact."""
    return {
        name: {
            "address": f"crm.{{company}}.{kind_of(name)}.{{{kind_of(name)}}}.{event_of(name)}",
            "title": f"{kind_of(name)} {event_of(name)}".replace("_", " "),
            "description": f"{summary_of(fact)} Kept on the stream `{streams.CRM}` for {KEPT[streams.CRM]}.",
            "servers": [{"$ref": "#/servers/nats"}],
            "parameters": {
                "company": PARAMETERS["company"],
                kind_of(name): {"description": _ABOUT[kind_of(name)], "examples": [samples.sample(name).subject]},
            },
            "messages": {name: {"$ref": f"#/components/messages/{name}"}},
            "tags": [{"name": "facts"}],
            "bindings": {"nats": {}},
        }
        for name, fact in TYPES.items()
    }


def messages() -> Json:
    """Return a message for each fact: the envelope, and in it the data."""
    return {
        name: {
            "name": name,
            "title": f"{kind_of(name)} {event_of(name)}".replace("_", " "),
            "summary": summary_of(fact),
            "traits": [{"$ref": "#/components/messageTraits/fact"}],
            "payload": {
                "allOf": [
                    {"$ref": "#/components/schemas/Envelope"},
                    {
                        "type": "object",
                        "properties": {
                            "type": {"const": name},
                            "dataschema": {"const": envelope.schema_uri(name)},
                            "data": {"$ref": f"#/components/schemas/{fact.__name__}"},
                        },
                    },
                ]
            },
            "examples": [_fact_example(name)],
        }
        for name, fact in TYPES.items()
    }


def _fact_example(name: str) -> Json:
    sample = samples.sample(name)
    return {
        "headers": {MESSAGE_ID_HEADER: sample.id, CORRELATION_HEADER: sample.correlationid},
        "payload": json.loads(sample.to_json()),
    }

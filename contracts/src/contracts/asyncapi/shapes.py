"""The schemas, and what the other parts of the document share. Those of AsyncAPI itself: a superset of draft 07."""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any, Final, Literal, TypeAlias, get_type_hints

from pydantic import TypeAdapter

from contracts import push, streams, subjects
from contracts.asyncapi import samples
from contracts.channels import CompanyChannel
from contracts.documented import describe
from contracts.envelope import Envelope
from contracts.events import TYPES
from contracts.heard import HEARD
from contracts.schemas import CLASSES

Json: TypeAlias = dict[str, Any]

_DAY: Final = 24 * 3600
KEPT: Final = {stream.name: f"{round((stream.max_age or 0) / _DAY)} days" for stream in streams.STREAMS}
"""Stream → how long it keeps a message."""
PARAMETERS: Final[Mapping[str, Json]] = {
    "company": {"description": "The id of the company.", "examples": [samples.COMPANY]},
    "lead": {"description": "The id of the lead.", "examples": [samples.LEAD]},
    "user": {"description": "The id of the user.", "examples": [samples.ANA]},
    "app": {"description": "The id of the gateway's app, as a subject token.", "examples": [samples.APP]},
    "channel": {
        "description": "The channel's name as a token: bytes not in `A-Z a-z 0-9 _ -` are `=` and two hex digits.",
        "examples": [subjects.token(samples.CHANNELS[CompanyChannel])],
    },
    "consumer": {"description": "The name of the consumer that gave up.", "examples": [streams.NOTIFIER]},
}
"""What stands for a part of an address."""


def schemas() -> Json:
    """Return the schemas by name: of envelopes, facts, what both are made of, and what browsers hear."""
    heard = list(dict.fromkeys(each.payload for each in HEARD))
    inputs: list[tuple[type, Literal["serialization"], TypeAdapter[Any]]] = [
        (each, "serialization", TypeAdapter(each)) for each in (Envelope, *TYPES.values(), *heard)
    ]
    _, found = TypeAdapter.json_schemas(inputs, ref_template="#/components/schemas/{model}")
    pushed = (each for each in vars(push).values() if isinstance(each, type) and is_dataclass(each))
    described = describe(found["$defs"], {*CLASSES, *pushed, Envelope})
    for payload in heard:
        described[payload.__name__] = _flat(payload, described[payload.__name__])
    return dict(sorted(described.items()))


def _flat(payload: type, schema: Json) -> Json:
    """Return the schema of a push's data: the fields of what it carries lie beside its own."""
    hints = get_type_hints(payload)
    carried = [field.name for field in fields(payload) if is_dataclass(hints[field.name])]
    beside = [{"$ref": f"#/components/schemas/{hints[name].__name__}"} for name in carried]
    return {
        "description": schema["description"],
        "type": "object",
        **({"allOf": beside} if beside else {}),
        "properties": {name: property_ for name, property_ in schema["properties"].items() if name not in carried},
        "required": [name for name in schema["required"] if name not in carried],
    }


def entire(properties: Json) -> Json:
    """Return the schema of an object of which nothing may be missing."""
    return {"type": "object", "properties": properties, "required": list(properties)}

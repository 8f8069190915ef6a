"""Facts as CloudEvents 1.0 in structured JSON mode (CloudEvents spec §3.1, JSON format §3)."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Final, Literal, TypeAlias

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, TypeAdapter

from contracts.events import NAMES, TYPES, Fact, UnknownEvent, subject_of
from contracts.upcasters import UPCASTERS, upcast

SOURCE: Final = "/leads"
CONTENT_TYPE: Final = "application/cloudevents+json"

_ADAPTERS: Final[Mapping[type[Fact], TypeAdapter[Fact]]] = {fact: TypeAdapter(fact) for fact in TYPES.values()}

Text: TypeAlias = Annotated[str, Field(pattern=r"^[!-~]{1,128}$")]
"""What travels in message headers too: visible ASCII, never a line break."""


class Envelope(BaseModel):
    """One fact on the wire. Extension attributes are lower case without separators (CloudEvents §3.1)."""

    model_config = ConfigDict(frozen=True)

    specversion: Literal["1.0"] = "1.0"
    id: Text
    """The event id: a UUID, derived from the command, so that a retried command cannot mint a second one."""
    source: str = SOURCE
    type: str
    subject: str
    """The id of what it is about: of the lead, the user, the import; of the company for its pipeline."""
    time: AwareDatetime
    datacontenttype: Literal["application/json"] = "application/json"
    dataschema: str
    traceparent: str | None = None
    companyid: str
    feedposition: int = Field(ge=1, lt=1 << 63)
    """Dense per company: 1, 2, 3 …"""
    feedepoch: Text | None = None
    """The log's epoch when the fact was sent. In another epoch the same position may be another fact."""
    streamversion: int = Field(ge=1, lt=1 << 63)
    """Dense per subject."""
    actor: str | None = None
    """The id of the user who did it; none for the system."""
    causationid: str | None = None
    """The id of the command that caused it."""
    correlationid: Text | None = None
    """Follows one request through every process."""
    socketid: Text | None = None
    """The author's Pusher socket, which does not hear its own change."""
    jobid: Text | None = None
    """The bulk job it is a part of: screens hear of the job, not of each of its facts."""
    data: dict[str, Any]

    def fact(self) -> Fact:
        """Return the fact inside.

        Raises:
            UnknownEvent: its type is in no table of this release.
            pydantic.ValidationError: its data does not fit the type.
        """
        return decode(self.type, self.data)

    def to_json(self) -> bytes:
        """Return the structured-mode JSON, attributes without a value left out (CloudEvents JSON format §2.2)."""
        return self.model_dump_json(exclude_none=True).encode()


_CONSTANT: Final[Mapping[str, str]] = {
    name: field.default for name, field in Envelope.model_fields.items() if isinstance(field.default, str)
}
"""What all envelopes say."""


def wrap(fact: Fact, *, time: datetime, companyid: str, **attributes: Any) -> Envelope:  # noqa: ANN401 - the model checks
    """Put a fact into its envelope; `attributes` are the remaining fields of `Envelope`."""
    name = NAMES[type(fact)]
    return Envelope(
        type=name,
        time=time,
        dataschema=schema_uri(name),
        companyid=companyid,
        subject=subject_of(fact, companyid),
        data=encode(fact),
        **attributes,
    )


def seal(attributes: Mapping[str, object], data: str) -> bytes:
    """Return what `Envelope(**attributes, data=…).to_json()` says, without a look at any of it.

    Args:
        attributes: the fields of `Envelope` that have a value, as they travel; they are known to be valid.
        data: JSON text.
    """
    head = json.dumps({**_CONSTANT, **attributes}, separators=(",", ":"), ensure_ascii=False)
    return f'{head[:-1]},"data":{data}}}'.encode()


def parse(body: bytes) -> Envelope:
    """Read structured-mode JSON.

    Raises:
        pydantic.ValidationError: not JSON, or not such an envelope.
    """
    return Envelope.model_validate_json(body)


def schema_uri(name: str) -> str:
    """Return the `dataschema` of a fact: the path of its JSON Schema in the contracts package."""
    return f"/contracts/schemas/{name}.json"


def encode(fact: Fact) -> dict[str, Any]:
    """Return a fact's data as plain JSON values: times RFC 3339 in UTC."""
    encoded: dict[str, Any] = _ADAPTERS[type(fact)].dump_python(fact, mode="json")
    return encoded


def encode_json(fact: Fact) -> bytes:
    """Return the same as JSON text."""
    return _ADAPTERS[type(fact)].dump_json(fact)


def decode(name: str, data: Mapping[str, Any]) -> Fact:
    """Return the fact of that name, an old version as the present one.

    Unknown fields are ignored: a newer producer may have added some.

    Raises:
        UnknownEvent: no such name in this release.
        pydantic.ValidationError: the data does not fit.
    """
    present, data = upcast(name, data)
    fact_type = TYPES.get(present)
    if fact_type is None:
        raise UnknownEvent(name)
    return _ADAPTERS[fact_type].validate_python(data)


def decode_json(name: str, data: str | bytes) -> Fact:
    """Return the fact of that name, given its data as JSON text; see `decode`."""
    if name in UPCASTERS:
        return decode(name, json.loads(data))
    fact_type = TYPES.get(name)
    if fact_type is None:
        raise UnknownEvent(name)
    return _ADAPTERS[fact_type].validate_json(data)


def json_schema(name: str) -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of a fact's data, as committed under `schemas/`."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": schema_uri(name),
        **_ADAPTERS[TYPES[name]].json_schema(mode="serialization"),
    }

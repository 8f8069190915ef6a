"""The bodies of `POST /apps/{id}/events` and `/batch_events`: what a server may send to whom."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson

from gateway.pusher import channels, payload
from gateway.pusher.refusals import Invalid, TooLarge
from gateway.pusher.signature import Pairs

MAX_CHANNELS: Final = 100
MAX_BATCH: Final = 10

_SOCKET_ID = re.compile(r"\d+\.\d+", re.ASCII)
_RESERVED = ("pusher:", "pusher_internal:")


@dataclass(frozen=True, slots=True)
class Trigger:
    """One event for some channels of an app."""

    name: str
    data: str
    """Passed through to clients as the same string."""
    channels: tuple[str, ...]
    """Without repetitions."""
    except_socket: str | None


def parse(body: bytes, query: Pairs) -> Trigger:
    """Read a request; a field may also come from the query (`channels[]=a`), where the body does not have it.

    Raises:
        Invalid: some field breaks its rule; nothing of the request may be done.
        TooLarge: the event's data.
    """
    fields = {**_from_query(query), **_object(body)}
    return _trigger(fields, _channels(fields))


def parse_batch(body: bytes) -> tuple[Trigger, ...]:
    """Read a batch: events for one channel each.

    Raises:
        Invalid: some field of some event breaks its rule; nothing of the request may be done.
        TooLarge: the data of some event.
    """
    batch = _object(body).get("batch")
    if not isinstance(batch, list) or not 1 <= len(batch) <= MAX_BATCH:
        raise Invalid(f"A batch needs 1 to {MAX_BATCH} events")
    return tuple(_entry(fields) for fields in batch)


def _entry(fields: object) -> Trigger:
    if not isinstance(fields, dict):
        raise Invalid("Each event of a batch must be a JSON object")
    channel = fields.get("channel")
    if not isinstance(channel, str):
        raise Invalid("Each event of a batch needs exactly one channel")
    return _trigger(fields, _channels({"channel": channel}))


def _trigger(fields: Mapping[str, Any], names: tuple[str, ...]) -> Trigger:
    if fields.get("info"):
        raise Invalid("The info parameter is not supported")
    return Trigger(
        name=_name(fields.get("name")),
        data=_data(fields),
        channels=names,
        except_socket=_socket_id(fields.get("socket_id")),
    )


def _object(body: bytes) -> Mapping[str, Any]:
    # orjson also refuses unpaired surrogates, which no WebSocket text frame could carry.
    try:
        fields = orjson.loads(body or b"{}")
    except orjson.JSONDecodeError:
        raise Invalid("The body is not valid JSON") from None
    if not isinstance(fields, dict):
        raise Invalid("The body must be a JSON object")
    return fields


def _from_query(query: Pairs) -> dict[str, Any]:
    fields: dict[str, Any] = {key: value for key, value in query if key in {"name", "channel", "socket_id", "info"}}
    listed = [value for key, value in query if key in {"channels", "channels[]"}]
    return {**fields, "channels": listed} if listed else fields


def _name(name: object) -> str:
    if not isinstance(name, str) or not 1 <= len(name) <= payload.MAX_NAME:
        raise Invalid(f"The event name must be a string of 1 to {payload.MAX_NAME} characters")
    if name.startswith(_RESERVED):
        raise Invalid("Event names that begin with pusher: or pusher_internal: are reserved")
    return name


def _data(fields: Mapping[str, Any]) -> str:
    if fields.get("data") is None:
        raise Invalid("The event has no data")
    try:
        data = payload.text(fields["data"])
    except ValueError as error:
        raise Invalid(f"The data of the event is {error}") from None
    if not payload.fits(data):
        raise TooLarge(f"The data content of this event exceeds the allowed maximum ({payload.MAX_DATA} bytes)")
    return data


def _channels(fields: Mapping[str, Any]) -> tuple[str, ...]:
    given = fields.get("channels")
    if given is None:
        given = fields.get("channel")
    names = [given] if isinstance(given, str) else given
    if not isinstance(names, list) or not 1 <= len(names) <= MAX_CHANNELS:
        raise Invalid(f"An event needs 1 to {MAX_CHANNELS} channels")
    if not all(isinstance(name, str) and channels.parse(name) for name in names):
        raise Invalid("Invalid channel name")
    return tuple(dict.fromkeys(names))


def _socket_id(socket_id: object) -> str | None:
    if socket_id is None:
        return None
    if not isinstance(socket_id, str) or not _SOCKET_ID.fullmatch(socket_id):
        raise Invalid("Invalid socket id")
    return socket_id

"""The bodies of `POST /apps/{id}/events` and `/batch_events`: what a server may send to whom."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from gateway.pusher import attributes, channels, payload
from gateway.pusher.app import App
from gateway.pusher.attributes import COUNTS, Attributes
from gateway.pusher.refusals import Invalid, TooLarge
from gateway.pusher.signature import Pairs

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
    info: Attributes
    """What the answer tells about each channel."""


def parse(body: bytes, query: Pairs, app: App) -> Trigger:
    """Read a request within the limits of its app.

    A field may also come from the query (`channels[]=a`), where the body does not have it.

    Raises:
        Invalid: some field breaks its rule; nothing of the request may be done.
        TooLarge: the event's data.
    """
    fields = {**_from_query(query), **_object(body)}
    return _trigger(fields, _channels(fields, app), app)


def parse_raw(channel: str, body: bytes, query: Pairs, app: App) -> Trigger:
    """Read a request whose body is the event's data as it stands; name and excluded socket are in the query.

    Raises:
        Invalid: some field breaks its rule.
        TooLarge: the data.
    """
    try:
        data = body.decode()
    except UnicodeDecodeError:
        raise Invalid("The data of the event is not UTF-8") from None
    fields = {**_from_query(query), "channel": channel, "channels": None, "data": data, "info": None}
    return _trigger(fields, _channels(fields, app), app)


def parse_batch(body: bytes, app: App) -> tuple[Trigger, ...]:
    """Read a batch within the limits of its app: events for one channel each.

    Raises:
        Invalid: some field of some event breaks its rule; nothing of the request may be done.
        TooLarge: the data of some event.
    """
    batch = _object(body).get("batch")
    if not isinstance(batch, list) or not 1 <= len(batch) <= app.max_batch:
        raise Invalid(f"A batch needs 1 to {app.max_batch} events")
    return tuple(_entry(fields, app) for fields in batch)


def _entry(fields: object, app: App) -> Trigger:
    if not isinstance(fields, dict):
        raise Invalid("Each event of a batch must be a JSON object")
    channel = fields.get("channel")
    if not isinstance(channel, str):
        raise Invalid("Each event of a batch needs exactly one channel")
    return _trigger(fields, _channels({"channel": channel}, app), app)


def _trigger(fields: Mapping[str, Any], names: tuple[str, ...], app: App) -> Trigger:
    return Trigger(
        name=_name(fields.get("name"), app.max_event_name),
        data=_data(fields, app.max_event_bytes),
        channels=names,
        except_socket=_socket_id(fields.get("socket_id")),
        info=attributes.parse(fields.get("info"), COUNTS),
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
    fields: dict[str, Any] = {key: value for key, value in query if key in {"name", "channel", "socket_id"}}
    fields["info"] = attributes.of_query(query)
    listed = [value for key, value in query if key in {"channels", "channels[]"}]
    return {**fields, "channels": listed} if listed else fields


def _name(name: object, longest: int) -> str:
    if not isinstance(name, str) or not 1 <= len(name) <= longest:
        raise Invalid(f"The event name must be a string of 1 to {longest} characters")
    if name.startswith(_RESERVED):
        raise Invalid("Event names that begin with pusher: or pusher_internal: are reserved")
    return name


def _data(fields: Mapping[str, Any], max_bytes: int) -> str:
    if fields.get("data") is None:
        raise Invalid("The event has no data")
    try:
        data = payload.text(fields["data"])
    except ValueError as error:
        raise Invalid(f"The data of the event is {error}") from None
    if not payload.fits(data, max_bytes):
        raise TooLarge(f"The data content of this event exceeds the allowed maximum ({max_bytes} bytes)")
    return data


def _channels(fields: Mapping[str, Any], app: App) -> tuple[str, ...]:
    given = fields.get("channels")
    if given is None:
        given = fields.get("channel")
    names = [given] if isinstance(given, str) else given
    if not isinstance(names, list) or not 1 <= len(names) <= app.max_channels_per_event:
        raise Invalid(f"An event needs 1 to {app.max_channels_per_event} channels")
    if not all(isinstance(name, str) and channels.parse(name, app.max_channel_name) for name in names):
        raise Invalid("Invalid channel name")
    return tuple(dict.fromkeys(names))


def _socket_id(socket_id: object) -> str | None:
    if socket_id is None:
        return None
    if not isinstance(socket_id, str) or not _SOCKET_ID.fullmatch(socket_id):
        raise Invalid("Invalid socket id")
    return socket_id

"""The applications of `GATEWAY_APPS_FILE`: soketi's field names, everything checked before anything starts."""

from pathlib import Path
from typing import Annotated, Any, Final, TypeAlias

import structlog
from pydantic import BaseModel, ConfigDict, Field, HttpUrl, SecretStr, TypeAdapter, ValidationError
from pydantic.alias_generators import to_camel

from gateway.pusher.app import App, Apps, Webhook, WebhookEvent

IGNORED: Final = frozenset({"lambda_function", "lambda"})
"""soketi's fields of a webhook that have no meaning here: accepted, so that an existing file works, and reported."""
KIB: Final = 1024

_log = structlog.stdlib.get_logger("gateway.apps")


class AppsFileError(Exception):
    """The file cannot be used; the message names the file, the app and the key."""


class _Object(BaseModel):
    model_config = ConfigDict(
        extra="forbid", alias_generator=to_camel, coerce_numbers_to_str=True, hide_input_in_errors=True
    )


Limit: TypeAlias = Annotated[int, Field(ge=-1)]
"""soketi's -1: any number."""
Size: TypeAlias = Annotated[int, Field(ge=1)]
NameLength: TypeAlias = Annotated[int, Field(ge=1, le=400)]
"""The longest NATS subjects hold a channel's name, up to three bytes a character, beside a user's id."""
Payload: TypeAlias = Annotated[float, Field(gt=0, le=160)]
"""KiB; escaped as JSON, it must fit into a NATS message of 1 MB."""


class _Filter(_Object):
    channel_name_starts_with: Annotated[str, Field(alias="channel_name_starts_with")] = ""
    channel_name_ends_with: Annotated[str, Field(alias="channel_name_ends_with")] = ""


class _WebhookObject(_Object):
    model_config = ConfigDict(extra="allow")

    url: HttpUrl
    event_types: Annotated[frozenset[WebhookEvent], Field(alias="event_types")] = frozenset(WebhookEvent)
    headers: dict[str, str] = {}
    filter: _Filter = _Filter()


class _AppObject(_Object):
    id: Annotated[str, Field(pattern=r"^[0-9]+$", max_length=20)]
    key: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]+$", max_length=100)]
    secret: Annotated[SecretStr, Field(min_length=1)]
    enabled: bool = True
    max_connections: Limit = -1
    enable_client_messages: bool = False
    max_client_events_per_second: Limit = 10
    max_backend_events_per_second: Limit = -1
    max_read_requests_per_second: Limit = -1
    enable_user_authentication: bool = True
    max_presence_members_per_channel: Size = 100
    max_presence_member_size_in_kb: Payload = 10
    max_channel_name_length: NameLength = 200
    max_event_channels_at_once: Size = 100
    max_event_name_length: Size = 200
    max_event_payload_in_kb: Payload = 10
    max_event_batch_size: Size = 10
    webhooks: list[_WebhookObject] = []

    # Ours.
    other_secret: SecretStr = SecretStr("")
    reconnect_over_quota: bool = False
    reconnect_terminated: bool = False
    accept_any_protocol: bool = False
    activity_timeout_seconds: Size = 120
    max_connections_per_user: Limit = 1000
    max_channels: Limit = 100_000
    require_tls: bool = False
    allowed_origins: list[str] = []
    enable_subscription_counting: bool = False
    enable_watchlists: bool = False
    max_watchlist_length: Size = 100
    require_authorization: bool = False
    authorization_timeout_seconds: Annotated[float, Field(gt=0)] = 30
    bound_channels: list[str] = []
    batch_webhooks: bool = True


_FILE: Final = TypeAdapter(list[_AppObject])


def load(path: Path) -> Apps:
    """Read and check the file.

    Raises:
        AppsFileError: naming the first offending app (counted from 0) and key.
    """
    try:
        objects = _FILE.validate_json(path.read_bytes())
    except OSError as error:
        raise AppsFileError(f"{path}: {error.strerror}") from error
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        what = "unknown key" if first["type"] == "extra_forbidden" else first["msg"]
        raise AppsFileError(f"{path}: {_place(first['loc'])}{what}") from None
    apps = [_app(path, index, found) for index, found in enumerate(objects)]
    if not apps:
        raise AppsFileError(f"{path}: no app in it")
    for name in ("id", "key"):
        _unique(path, name, [getattr(app, name) for app in apps])
    return Apps(apps)


def _app(path: Path, index: int, found: _AppObject) -> App:
    return App(
        id=found.id,
        key=found.key,
        secret=found.secret.get_secret_value(),
        other_secret=found.other_secret.get_secret_value(),
        enabled=found.enabled,
        max_connections=_limit(found.max_connections),
        returns_over_quota=found.reconnect_over_quota,
        returns_terminated=found.reconnect_terminated,
        any_protocol=found.accept_any_protocol,
        activity_timeout=found.activity_timeout_seconds,
        max_connections_per_user=_limit(found.max_connections_per_user),
        max_channels=_limit(found.max_channels),
        require_tls=found.require_tls,
        allowed_origins=tuple(found.allowed_origins),
        client_events=found.enable_client_messages,
        client_events_per_second=_limit(found.max_client_events_per_second),
        backend_events_per_second=_limit(found.max_backend_events_per_second),
        read_requests_per_second=_limit(found.max_read_requests_per_second),
        max_channel_name=found.max_channel_name_length,
        max_event_name=found.max_event_name_length,
        max_event_bytes=round(found.max_event_payload_in_kb * KIB),
        max_channels_per_event=found.max_event_channels_at_once,
        max_batch=found.max_event_batch_size,
        max_presence_members=found.max_presence_members_per_channel,
        max_member_bytes=round(found.max_presence_member_size_in_kb * KIB),
        user_authentication=found.enable_user_authentication,
        watchlists=found.enable_watchlists,
        max_watchlist=found.max_watchlist_length,
        require_authorization=found.require_authorization,
        authorization_seconds=found.authorization_timeout_seconds,
        bound_channels=tuple(found.bound_channels),
        subscription_counting=found.enable_subscription_counting,
        webhooks=tuple(_webhook(path, index, webhook) for webhook in found.webhooks),
        batch_webhooks=found.batch_webhooks,
    )


def _webhook(path: Path, index: int, found: _WebhookObject) -> Webhook:
    extra = sorted(found.model_extra or ())
    unknown = [key for key in extra if key not in IGNORED]
    if unknown:
        raise AppsFileError(f"{path}: app {index}, key 'webhooks': unknown key {unknown[0]!r}")
    if extra:
        _log.warning("keys without effect", file=str(path), app=index, keys=extra)
    return Webhook(
        url=str(found.url),
        event_types=found.event_types,
        headers=found.headers,
        prefix=found.filter.channel_name_starts_with,
        suffix=found.filter.channel_name_ends_with,
    )


def _limit(number: int) -> int | None:
    """Return a limit, or None for soketi's -1: no limit."""
    return None if number < 0 else number


def _place(location: tuple[Any, ...]) -> str:
    match location:
        case (index, key, *_):
            return f"app {index}, key {str(key)!r}: "
        case (index,):
            return f"app {index}: "
        case _:
            return ""


def _unique(path: Path, name: str, values: list[str]) -> None:
    for index, value in enumerate(values):
        if value in values[:index]:
            raise AppsFileError(f"{path}: app {index}, key {name!r}: same as app {values.index(value)}")

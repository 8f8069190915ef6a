"""The applications of `GATEWAY_APPS_FILE`: soketi's field names, everything checked before anything starts."""

from pathlib import Path
from typing import Annotated, Any, Final

import structlog
from pydantic import BaseModel, ConfigDict, Field, SecretStr, TypeAdapter, ValidationError
from pydantic.alias_generators import to_camel

from gateway.pusher.app import App, Apps

UNUSED: Final = frozenset(
    {
        "enableUserAuthentication",
        "maxBackendEventsPerSecond",
        "maxReadRequestsPerSecond",
        "webhooks",
        "maxPresenceMembersPerChannel",
        "maxPresenceMemberSizeInKb",
        "maxChannelNameLength",
        "maxEventChannelsAtOnce",
        "maxEventNameLength",
        "maxEventPayloadInKb",
        "maxEventBatchSize",
    }
)
"""soketi's other fields: accepted, so that an existing file works, and reported as having no effect."""

_log = structlog.stdlib.get_logger("gateway.apps")


class AppsFileError(Exception):
    """The file cannot be used; the message names the file, the app and the key."""


class _AppObject(BaseModel):
    model_config = ConfigDict(
        extra="allow", alias_generator=to_camel, coerce_numbers_to_str=True, hide_input_in_errors=True
    )

    id: Annotated[str, Field(pattern=r"^[0-9]+$", max_length=20)]
    key: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]+$", max_length=100)]
    secret: Annotated[SecretStr, Field(min_length=1)]
    enabled: bool = True
    max_connections: Annotated[int, Field(ge=-1)] = -1
    """-1: any number."""
    enable_client_messages: bool = False
    max_client_events_per_second: Annotated[int, Field(ge=-1)] = 10
    """-1: any number."""


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
        raise AppsFileError(f"{path}: {_place(first['loc'])}{first['msg']}") from None
    apps = [_app(path, index, found) for index, found in enumerate(objects)]
    if not apps:
        raise AppsFileError(f"{path}: no app in it")
    for name in ("id", "key"):
        _unique(path, name, [getattr(app, name) for app in apps])
    return Apps(apps)


def _app(path: Path, index: int, found: _AppObject) -> App:
    extra = set(found.model_extra or ())
    unknown = sorted(extra - UNUSED)
    if unknown:
        raise AppsFileError(f"{path}: app {index}, key {unknown[0]!r}: unknown key")
    if extra:
        _log.warning("keys without effect in this version", file=str(path), app=index, keys=sorted(extra))
    return App(
        id=found.id,
        key=found.key,
        secret=found.secret.get_secret_value(),
        enabled=found.enabled,
        max_connections=_limit(found.max_connections),
        client_events=found.enable_client_messages,
        client_events_per_second=_limit(found.max_client_events_per_second),
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

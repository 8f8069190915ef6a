"""Channel names, parsed once into a kind. Prefixes are anchored: `my-private-x` is as public as `privateers`."""

import re
from dataclasses import dataclass
from enum import Enum
from typing import Final

MAX_NAME: Final = 200  # characters; what the server SDKs allow (Pusher documents 164)
MAX_USER: Final = 128  # characters of a user's id (Pusher docs, "User authentication")

_NAME = re.compile(r"[A-Za-z0-9_\-=@,.;]+")
_USER = re.compile(rf"#server-to-user-.{{1,{MAX_USER}}}", re.DOTALL)


class Kind(Enum):
    """What the rules of a channel depend on; the value is its prefix."""

    ENCRYPTED_CACHE = "private-encrypted-cache-"
    ENCRYPTED = "private-encrypted-"
    PRIVATE_CACHE = "private-cache-"
    PRIVATE = "private-"
    PRESENCE_CACHE = "presence-cache-"
    PRESENCE = "presence-"
    CACHE = "cache-"
    USER = "#server-to-user-"
    PUBLIC = ""

    @property
    def authorised(self) -> bool:
        """Whether a signature of the application is needed to listen."""
        return self not in _OPEN

    @property
    def presence(self) -> bool:
        """Whether its members are known to each other."""
        return self in _PRESENCE

    @property
    def encrypted(self) -> bool:
        """Whether its events are encrypted end to end."""
        return self in _ENCRYPTED

    @property
    def cached(self) -> bool:
        """Whether its last event is kept for those who come later."""
        return self in _CACHED


_OPEN = frozenset({Kind.PUBLIC, Kind.CACHE, Kind.USER})
_PRESENCE = frozenset({Kind.PRESENCE, Kind.PRESENCE_CACHE})
_ENCRYPTED = frozenset({Kind.ENCRYPTED, Kind.ENCRYPTED_CACHE})
_CACHED = frozenset({Kind.CACHE, Kind.PRIVATE_CACHE, Kind.ENCRYPTED_CACHE, Kind.PRESENCE_CACHE})
_BY_PREFIX = tuple(kind for kind in Kind if kind not in {Kind.USER, Kind.PUBLIC})


@dataclass(frozen=True, slots=True)
class Channel:
    """A valid channel name and its kind."""

    name: str
    kind: Kind


def of_user(user_id: str) -> str:
    """Return the name of the channel on which a signed-in user hears events; the id has 1 to `MAX_USER` characters."""
    return f"{Kind.USER.value}{user_id}"


def parse(name: str, longest: int = MAX_NAME) -> Channel | None:
    """Return the channel of that name, or None when no channel may be called so.

    Args:
        name: whatever was asked for.
        longest: characters that a name may have; the ids of users have a limit of their own.
    """
    if _USER.fullmatch(name):
        return Channel(name, Kind.USER)
    if len(name) > longest or not _NAME.fullmatch(name):
        return None
    return Channel(name, kind_of(name))


def kind_of(name: str) -> Kind:
    """Return the kind of a channel whose name is valid."""
    if name.startswith(Kind.USER.value):
        return Kind.USER
    return next((kind for kind in _BY_PREFIX if name.startswith(kind.value)), Kind.PUBLIC)

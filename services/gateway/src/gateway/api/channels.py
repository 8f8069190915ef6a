"""`GET /apps/{id}/channels…`: who listens, on all gateways together."""

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from fastapi import APIRouter, Request, Response

from gateway.api.answers import success
from gateway.api.auth import Authenticator, Call
from gateway.api.rates import Rates
from gateway.pusher import attributes, census, channels
from gateway.pusher.attributes import COUNTS, Attribute
from gateway.pusher.census import Audience, Question
from gateway.pusher.channels import Channel, Kind
from gateway.pusher.refusals import Invalid
from gateway.reads import Stored


class Listeners(Protocol):
    """Whoever knows what all gateways know together; see `Reads`."""

    async def ask(self, app_id: str, question: Question) -> Mapping[str, Audience]: ...

    async def last(self, app_id: str, channel: str) -> Stored | None: ...


class Channels:
    """The requests that read."""

    def __init__(
        self,
        auth: Authenticator,
        rates: Rates,
        listeners: Listeners,
        connections: Callable[[str], int],
        *,
        cache_seconds: float,
        now: Callable[[], float],
    ) -> None:
        """Prepare.

        Args:
            auth: admits requests.
            rates: says when there are too many.
            listeners: whom to ask.
            connections: app id → connections on all gateways.
            cache_seconds: from storing an event to forgetting it.
            now: Unix time in seconds.
        """
        self._auth = auth
        self._rates = rates
        self._listeners = listeners
        self._connections = connections
        self._cache_seconds = cache_seconds
        self._now = now

    def routes(self) -> APIRouter:
        """Return the routes below `/apps`."""
        router = APIRouter()

        @router.get("/{app_id}/channels")
        async def get_channels(app_id: str, request: Request) -> Response:
            return success(await self._list(await self._admit(request, app_id)))

        @router.get("/{app_id}/channels/{name}")
        async def get_channel(app_id: str, name: str, request: Request) -> Response:
            return success(await self._describe(await self._admit(request, app_id), name))

        @router.get("/{app_id}/channels/{name}/stats")
        async def get_stats(app_id: str, name: str, request: Request) -> Response:
            return success(await self._stats(await self._admit(request, app_id), name))

        @router.get("/{app_id}/connections")
        async def get_connections(app_id: str, request: Request) -> Response:
            await self._admit(request, app_id)
            return success({"connections": self._connections(app_id)})

        @router.get("/{app_id}/channels/{name}/users")
        async def get_users(app_id: str, name: str, request: Request) -> Response:
            return success(await self._users(await self._admit(request, app_id), name))

        return router

    async def _admit(self, request: Request, app_id: str) -> Call:
        call = await self._auth.of_app(request, app_id)
        self._rates.count_read(call.app)
        return call

    async def _list(self, call: Call) -> dict[str, Any]:
        asked = attributes.parse(attributes.of_query(call.query), COUNTS)
        prefix = dict(call.query).get("filter_by_prefix", "")
        if Attribute.USER_COUNT in asked and not prefix.startswith(Kind.PRESENCE.value):
            raise Invalid("user_count needs a filter_by_prefix that begins with presence-")
        question = Question(prefix=prefix, users=Attribute.USER_COUNT in asked)
        audiences = await self._listeners.ask(call.app.id, question)
        kind = channels.kind_of(prefix)  # where users are counted, all are presence channels
        return {"channels": {name: attributes.counts(asked, kind, audience) for name, audience in audiences.items()}}

    async def _describe(self, call: Call, name: str) -> dict[str, Any]:
        channel = _channel(call, name)
        asked = attributes.parse(attributes.of_query(call.query), frozenset(Attribute))
        if Attribute.USER_COUNT in asked and not channel.kind.presence:
            raise Invalid("user_count is only available on presence channels")
        if Attribute.CACHE in asked and not channel.kind.cached:
            raise Invalid("cache is only available on cache channels")
        audience = await self._audience(call, channel, users=Attribute.USER_COUNT in asked)
        told = {"occupied": audience.subscriptions > 0, **attributes.counts(asked, channel.kind, audience)}
        if Attribute.CACHE in asked:
            told["cache"] = await self._cache(call.app.id, name)
        return told

    async def _stats(self, call: Call, name: str) -> dict[str, Any]:
        """Return what the API told in 2012."""
        channel = _channel(call, name)
        audience = await self._audience(call, channel, users=True)
        counts = attributes.counts(frozenset({Attribute.USER_COUNT}), channel.kind, audience)
        return {"occupied": audience.subscriptions > 0, **counts}

    async def _users(self, call: Call, name: str) -> dict[str, Any]:
        channel = _channel(call, name)
        if not channel.kind.presence:
            raise Invalid("Only presence channels have users")
        audience = await self._audience(call, channel, users=True)
        return {"users": [{"id": user_id} for user_id in audience.users]}

    async def _audience(self, call: Call, channel: Channel, *, users: bool) -> Audience:
        question = Question(names=(channel.name,), users=users)
        return census.of(await self._listeners.ask(call.app.id, question), channel.name)

    async def _cache(self, app_id: str, name: str) -> dict[str, Any] | None:
        last = await self._listeners.last(app_id, name)
        remaining = 0.0 if last is None else last.at + self._cache_seconds - self._now()
        return None if last is None or remaining <= 0 else {"data": last.data, "ttl": int(remaining)}


def _channel(call: Call, name: str) -> Channel:
    channel = channels.parse(name, call.app.max_channel_name)
    if channel is None or channel.kind is Kind.USER:
        raise Invalid("Invalid channel name")
    return channel

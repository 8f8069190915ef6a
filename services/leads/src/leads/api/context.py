"""What a route gets besides its body: the service's parts, who asks, and what the headers say."""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Annotated, Final
from uuid import UUID

import structlog
from fastapi import Depends, Header, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from contracts import tokens
from leads.command import Command, IdempotencyKey, keyed_command_id, keyed_lead_id
from leads.handle import EventStore
from leads.passwords import LoginLimiter, Passwords
from leads.views import Views
from runtime.logs import CORRELATION_ID
from runtime.problems import Problem, malformed_header, unauthorized

SOCKET_ID: Final = re.compile(r"[0-9]{1,20}\.[0-9]{1,20}")
_KEY: Final = re.compile(r"[\x20-\x7e]{1,255}")
_VERSION: Final = re.compile(r'"([1-9][0-9]{0,8})"')
_TRACEPARENT: Final = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")
_WRITERS: Final = frozenset({"agent", "manager", "admin"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """The parts of the running service, made in `main`."""

    store: EventStore
    views: Views
    passwords: Passwords
    limiter: LoginLimiter
    clock: Callable[[], datetime]
    new_id: Callable[[], UUID]
    """Ids that sort by the time they were made."""
    jwt_secret: str
    token_lifetime: timedelta
    pusher_key: str
    pusher_secret: str


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, as their access token says."""

    user_id: UUID
    company_id: UUID
    role: str


# Coroutines, all of them: FastAPI would send a plain function to another thread.


async def _services(request: Request) -> Services:
    services: Services = request.app.state.services
    return services


ServicesOf = Annotated[Services, Depends(_services)]
_bearer = HTTPBearer(auto_error=False, description="The `access_token` of `POST /auth/login`.")


async def _caller(
    services: ServicesOf, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]
) -> Caller:
    if credentials is None:
        raise unauthorized("An access token is needed.")
    try:
        claims = tokens.read(credentials.credentials, services.jwt_secret, now=services.clock())
        return Caller(UUID(claims.user_id), UUID(claims.company_id), claims.role)
    except (tokens.InvalidToken, ValueError):
        raise unauthorized("The access token is not valid.", error="invalid_token") from None


CallerOf = Annotated[Caller, Depends(_caller)]


async def _writer(caller: CallerOf) -> Caller:
    if caller.role not in _WRITERS:
        raise Problem(403, "forbidden", "Your role may look, but not change anything.")
    return caller


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """A request to change something, apart from what."""

    caller: Caller
    at: datetime
    new_id: Callable[[], UUID]
    expected_version: int | None
    key: str | None
    socket_id: str | None
    traceparent: str | None

    def command(self, request: str, lead_id: UUID | None = None) -> Command:
        """Return the command for a lead, or for one to be created.

        Args:
            request: method, target and body, in a form that is the same whenever the request is.
            lead_id: None for a lead that does not exist yet.
        """
        caller = self.caller
        keyed = None if self.key is None else keyed_command_id(caller.company_id, caller.user_id, self.key)
        command_id = keyed or self.new_id()
        return Command(
            id=command_id,
            company_id=caller.company_id,
            lead_id=lead_id or (keyed_lead_id(command_id) if keyed else self.new_id()),
            actor=caller.user_id,
            at=self.at,
            expected_version=self.expected_version,
            idempotency=IdempotencyKey(self.key, sha256(request.encode()).hexdigest()) if self.key else None,
            correlation_id=structlog.contextvars.get_contextvars().get(CORRELATION_ID),
            socket_id=self.socket_id,
            traceparent=self.traceparent,
        )


async def _intent(
    services: ServicesOf,
    caller: Annotated[Caller, Depends(_writer)],
    idempotency_key: Annotated[
        str | None, Header(description="Makes a repeated request safe: it is answered as the first time.")
    ] = None,
    x_socket_id: Annotated[str | None, Header(description="The author's Pusher socket, which hears no echo.")] = None,
    traceparent: Annotated[str | None, Header(description="W3C trace context.")] = None,
) -> Intent:
    if idempotency_key is not None and not _KEY.fullmatch(idempotency_key):
        raise malformed_header("Idempotency-Key", "Should be 1 to 255 printable ASCII characters")
    if x_socket_id is not None and not SOCKET_ID.fullmatch(x_socket_id):
        raise malformed_header("X-Socket-ID", "Should be two numbers with a dot between")
    return Intent(
        caller=caller,
        at=services.clock(),
        new_id=services.new_id,
        expected_version=None,
        key=idempotency_key,
        socket_id=x_socket_id,
        traceparent=traceparent if traceparent and _TRACEPARENT.fullmatch(traceparent) else None,
    )


async def _conditional_intent(
    intent: Annotated[Intent, Depends(_intent)],
    if_match: Annotated[str | None, Header(description="The `ETag` that the change is based on.")] = None,
) -> Intent:
    if if_match is None or if_match.strip() == "*":
        return intent
    match = _VERSION.fullmatch(if_match.strip())
    if match is None:
        raise malformed_header("If-Match", 'Should be an ETag of a lead, such as "3", or *')
    return replace(intent, expected_version=int(match[1]))


IntentOf = Annotated[Intent, Depends(_intent)]
ConditionalIntentOf = Annotated[Intent, Depends(_conditional_intent)]

"""What a route gets besides its body: the service's parts, who asks, and what the headers say."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Annotated, Final
from uuid import UUID

import structlog
from fastapi import Depends, Header, Query, Request
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from contracts import tokens
from contracts.events import Role
from contracts.tokens import PrivateKey, Verifier
from leads import access
from leads.access import AccessRefused, Permit
from leads.command import Command, Expected, Feed, IdempotencyKey, Origin, keyed_command_id, keyed_lead_id
from leads.desk import Desk
from leads.domain.company import Company
from leads.handle import EventStore
from leads.login_limits import DeviceTokens, LoginLimiter
from leads.passwords import Passwords
from leads.store.directory import Directory
from leads.store.jobs import Jobs
from leads.store.settings import Settings
from leads.views import Views
from leads.watch import EpochChanged, FeedWatch
from runtime import tracing
from runtime.coalescing import Coalesced
from runtime.logs import CORRELATION_ID
from runtime.problems import Problem, malformed_header, unauthorized

SOCKET_ID: Final = re.compile(r"[0-9]{1,20}\.[0-9]{1,20}")
_KEY: Final = re.compile(r"[\x20-\x7e]{1,255}")
_ETAG: Final = re.compile(r'"(0|[1-9][0-9]{0,8})(?:\.([0-9A-Za-z_-]{1,64}))?"')


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """The parts of the running service, made in `main`."""

    store: EventStore
    views: Views
    directory: Directory
    settings: Settings
    jobs: Jobs
    desk: Desk
    watch: FeedWatch
    passwords: Passwords
    limiter: LoginLimiter
    device_tokens: DeviceTokens
    clock: Callable[[], datetime]
    new_id: Callable[[], UUID]
    """Ids that sort by the time they were made."""
    signing_key: PrivateKey
    """Of access tokens."""
    verifier: Verifier
    token_lifetime: timedelta
    pusher_key: str
    pusher_secret: str
    shared_reads: Coalesced[bytes] = field(default_factory=Coalesced)
    patience: float = 5.0
    """Seconds that a read waits for `min_position`."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, let in by what the directory knows of them; their token only says who they are."""

    user_id: UUID
    company_id: UUID
    role: Role
    permit: Permit
    """By which they were let in; a write checks it again when the settings are newer than `company`."""
    company: Company
    """The settings by which they were let in."""


@dataclass(frozen=True, slots=True)
class Reading:
    """A request to read something."""

    caller: Caller
    feed: Feed
    """The company's feed row as the request found it: `position` is what the answer reflects, or more."""


# Coroutines, all of them: FastAPI would send a plain function to another thread. And few: it takes some 20 µs for each,
# also for one whose result it has already.


def _services_of(request: Request) -> Services:
    services: Services = request.app.state.services
    return services


async def _services(request: Request) -> Services:
    return _services_of(request)


ServicesOf = Annotated[Services, Depends(_services)]
_bearer = HTTPBearer(auto_error=False, description="The `access_token` of `POST /auth/login`.")


@dataclass(frozen=True, slots=True)
class _Claim:
    """What a genuine access token says."""

    company_id: UUID
    permit: Permit

    def admit(self, company: Company) -> Caller:
        """Let the caller in by these settings.

        Raises:
            AccessRefused: they may not do what they ask for.
        """
        user = access.check(company, self.permit)
        return Caller(UUID(user.id), self.company_id, user.role, self.permit, company)


async def _claim(
    request: Request, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]
) -> _Claim:
    # Here goes the verification of an identity provider's tokens: its keys (JWKS), its issuer, and the user by e-mail.
    if credentials is None:
        raise unauthorized("An access token is needed.")
    services = _services_of(request)
    try:
        claims = services.verifier.read(credentials.credentials, now=services.clock())
        user_id, company_id = UUID(claims.user_id), UUID(claims.company_id)
    except (tokens.InvalidToken, ValueError):
        raise unauthorized("The access token is not valid.", error="invalid_token") from None
    assert claims.issued_at is not None  # every token that was read has it
    return _Claim(company_id, Permit(str(user_id), claims.issued_at, request.scope["route"].name))


async def _reading(
    request: Request,
    claim: Annotated[_Claim, Depends(_claim)],
    min_position: Annotated[
        int, Query(ge=0, lt=2**63, description="Wait a moment until the company's feed has come to this position.")
    ] = 0,
    epoch: Annotated[
        str | None,
        Query(
            max_length=64,
            description="The log's epoch of your positions: `meta.epoch` of the answer that they come from. "
            "If it has changed, the answer is 410 `epoch_changed`: load everything again.",
        ),
    ] = None,
) -> Reading:
    services = _services_of(request)
    feed = await services.directory.feed(claim.company_id)
    company = await services.directory.company(claim.company_id, at_least=feed.settings_version)
    caller = claim.admit(company)
    if epoch is not None and epoch != feed.epoch:
        raise EpochChanged(feed)
    if feed.position >= min_position:
        return Reading(caller, feed)
    reached = await services.watch.wait(
        caller.company_id, caller.user_id, epoch=feed.epoch, after=min_position - 1, seconds=services.patience
    )
    if reached is None:
        raise Problem(409, "position_not_reached", "The company's feed has not come to `min_position` yet.")
    return await readmitted(services, Reading(caller, feed), reached)


async def readmitted(services: Services, reading: Reading, feed: Feed) -> Reading:
    """Return a request after it has waited: its caller may have been shut out meanwhile.

    Raises:
        AccessRefused: they were.
    """
    caller = reading.caller
    company = await services.directory.company(caller.company_id, at_least=feed.settings_version)
    access.check(company, caller.permit)
    return Reading(replace(caller, company=company), feed)


ReadingOf = Annotated[Reading, Depends(_reading)]


async def _caller(reading: ReadingOf) -> Caller:
    return reading.caller


CallerOf = Annotated[Caller, Depends(_caller)]
"""Somebody who may read, by the settings of this moment."""


async def _let_in(services: Services, claim: _Claim) -> Caller:
    """Let a writer in by the settings in memory: the append finds out whether they still are the current ones."""
    known = await services.directory.company(claim.company_id)
    try:
        return claim.admit(known)
    except AccessRefused:
        feed = await services.directory.feed(claim.company_id)
        if feed.settings_version == known.settings_version:
            raise
    return claim.admit(await services.directory.company(claim.company_id, at_least=feed.settings_version))


def guards(route: APIRoute) -> bool:
    """Whether nobody gets through to a route without an operation of theirs being checked."""
    return route.name in access.PUBLIC or (route.name in access.OPERATIONS and _depends_on(route.dependant, _claim))


def changes(route: APIRoute) -> bool:
    """Whether a route is for changing something."""
    return _depends_on(route.dependant, _intent) or _depends_on(route.dependant, _origin)


def _depends_on(dependant: Dependant, call: object) -> bool:
    return dependant.call is call or any(_depends_on(part, call) for part in dependant.dependencies)


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """A request to change something, apart from what."""

    caller: Caller
    new_id: Callable[[], UUID]
    expected: Expected | None
    key: str | None
    socket_id: str | None
    traceparent: str | None

    def command(self, request: str, lead_id: UUID | None = None, *, allow_duplicate: bool = False) -> Command:
        """Return the command for a lead, or for one to be created.

        Args:
            request: method, target and body, in a form that is the same whenever the request is.
            lead_id: None for a lead that does not exist yet.
            allow_duplicate: whether there may be another lead with the same e-mail address or phone number.
        """
        caller = self.caller
        keyed = None if self.key is None else keyed_command_id(caller.company_id, caller.user_id, self.key)
        command_id = keyed or self.new_id()
        return Command(
            id=command_id,
            company_id=caller.company_id,
            lead_id=lead_id or (keyed_lead_id(command_id) if keyed else self.new_id()),
            actor=caller.user_id,
            expected=self.expected,
            allow_duplicate=allow_duplicate,
            permit=caller.permit,
            idempotency=IdempotencyKey(self.key, sha256(request.encode()).hexdigest()) if self.key else None,
            correlation_id=structlog.contextvars.get_contextvars().get(CORRELATION_ID),
            socket_id=self.socket_id,
            traceparent=self.traceparent,
        )


KeyHeader = Annotated[
    str | None, Header(description="Makes a repeated request safe: it is answered as the first time.")
]
SocketHeader = Annotated[str | None, Header(description="The author's Pusher socket, which hears no echo.")]
TraceHeader = Annotated[str | None, Header(description="W3C trace context.")]


def _check_key(key: str | None) -> None:
    if key is not None and not _KEY.fullmatch(key):
        raise malformed_header("Idempotency-Key", "Should be 1 to 255 printable ASCII characters")


def _check_socket(socket_id: str | None) -> None:
    if socket_id is not None and not SOCKET_ID.fullmatch(socket_id):
        raise malformed_header("X-Socket-ID", "Should be two numbers with a dot between")


def _understood(traceparent: str | None) -> str | None:
    """Return what continues the trace: our own span of the request, or the client's when we record none."""
    return tracing.current() or tracing.understood(traceparent)


async def _intent(
    request: Request,
    claim: Annotated[_Claim, Depends(_claim)],
    idempotency_key: KeyHeader = None,
    x_socket_id: SocketHeader = None,
    traceparent: TraceHeader = None,
) -> Intent:
    _check_key(idempotency_key)
    _check_socket(x_socket_id)
    services = _services_of(request)
    return Intent(
        caller=await _let_in(services, claim),
        new_id=services.new_id,
        expected=None,
        key=idempotency_key,
        socket_id=x_socket_id,
        traceparent=_understood(traceparent),
    )


async def _if_match(
    if_match: Annotated[str | None, Header(description="The `ETag` that the change is based on.")] = None,
) -> Expected | None:
    """Read a version with the log's epoch, as our ETags are, or without it, as `version` of a body is."""
    if if_match is None or if_match.strip() == "*":
        return None
    match = _ETAG.fullmatch(if_match.strip())
    if match is None:
        raise malformed_header("If-Match", 'Should be an ETag, such as "3", or *')
    return Expected(int(match[1]), match[2])


async def _conditional_intent(
    intent: Annotated[Intent, Depends(_intent)], expected: Annotated[Expected | None, Depends(_if_match)]
) -> Intent:
    return replace(intent, expected=expected)


async def _required_intent(
    intent: Annotated[Intent, Depends(_conditional_intent)], request: Request, *, dry_run: bool = False
) -> Intent:
    if "if-match" not in request.headers and not dry_run:
        detail = "Say with If-Match which version the change is based on: a blind one could not be taken back."
        raise Problem(428, "precondition_required", detail)
    return intent


async def _idempotency_key(
    idempotency_key: KeyHeader = None,
) -> str | None:
    _check_key(idempotency_key)
    return idempotency_key


async def _origin(
    request: Request,
    claim: Annotated[_Claim, Depends(_claim)],
    x_socket_id: SocketHeader = None,
    traceparent: TraceHeader = None,
) -> Origin:
    _check_socket(x_socket_id)
    services = _services_of(request)
    caller = await _let_in(services, claim)
    return Origin(
        id=services.new_id(),
        company_id=caller.company_id,
        actor=caller.user_id,
        permit=caller.permit,
        correlation_id=structlog.contextvars.get_contextvars().get(CORRELATION_ID),
        socket_id=x_socket_id,
        traceparent=_understood(traceparent),
    )


async def _required_if_match(
    expected: Annotated[Expected | None, Depends(_if_match)], if_match: Annotated[str | None, Header()] = None
) -> Expected | None:
    if if_match is None:
        raise Problem(428, "precondition_required", "Say in If-Match which version the change is based on.")
    return expected


IdempotencyKeyOf = Annotated[str | None, Depends(_idempotency_key)]
OriginOf = Annotated[Origin, Depends(_origin)]
"""A request to change settings, apart from what."""
IfMatchOf = Annotated[Expected | None, Depends(_if_match)]
"""What a change of a setting is based on; None for any version."""
RequiredIfMatchOf = Annotated[Expected | None, Depends(_required_if_match)]
IntentOf = Annotated[Intent, Depends(_intent)]
ConditionalIntentOf = Annotated[Intent, Depends(_conditional_intent)]
RequiredIntentOf = Annotated[Intent, Depends(_required_intent)]

"""`/auth`: log in, out, and one's own password."""

from dataclasses import dataclass, field
from math import ceil
from time import monotonic
from typing import Annotated, Final
from uuid import UUID

from fastapi import Request
from pydantic import Field

from contracts import tokens
from leads.api.answers import READING
from leads.api.context import OriginOf, ReadingOf, Services, ServicesOf
from leads.api.schemas import Account, AccountAnswer, Body, Credentials, Login, Meta, example
from leads.domain.company import Company, User
from leads.login_limits import Device, TooManyAttempts
from leads.passwords import TooManyAtOnce
from leads.store.database import DatabaseAway
from runtime.problems import FieldError, Problem, problems
from runtime.server.addresses import client_network
from runtime.strict import StrictRouter

router = StrictRouter(prefix="/auth", tags=["accounts"], responses=problems(401, 503))

_CHALLENGE: Final = {"WWW-Authenticate": 'Bearer realm="leadwire"'}
NewPassword = Annotated[str, Field(min_length=8, max_length=200, repr=False)]


class PasswordBody(Body):
    """One's own new password."""

    model_config = example({"current_password": "secret words", "new_password": "other secret words"})

    current_password: str = Field(min_length=1, max_length=200, repr=False)
    new_password: NewPassword


@router.post("/login", summary="Log in", responses=problems(400, 409, 413, 422, 429))
async def log_in(body: Credentials, services: ServicesOf, request: Request) -> Login:
    """The answer holds a `device_token`: sent with the next log-in, it keeps others' guesses from slowing it down.

    Who has the same address and password in several companies is told which (409), and chooses one by `company`.
    """
    credentials, network = _Credentials(body.email.lower(), body.password, body.company), _network(request)
    device = services.device_tokens.read(body.device_token, services.clock())
    found = [] if device is None else await _verified_device(services, device, credentials)
    if not found:
        found = await _verified_account(services, credentials, network, is_known=device is not None)
    if not found:
        raise Problem(401, "wrong_credentials", "E-mail address or password is wrong.", headers=_CHALLENGE)
    if len(found) > 1:
        companies = [await services.directory.company(company_id) for company_id, _user_id in found]
        choice = [{"id": company.id, "name": company.name} for company in companies]
        detail = "You are a user of several companies: say which by `company`."
        raise Problem(409, "company_needed", detail, extensions={"companies": choice})
    company_id, user_id = found[0]
    return await _login(services, company_id, user_id, device)


@router.get("/me", summary="Read whom the access token stands for", responses=READING)
async def read_me(reading: ReadingOf) -> AccountAnswer:
    user = reading.caller.company.users[str(reading.caller.user_id)]
    return AccountAnswer(data=_account(reading.caller.company, user), meta=Meta.of(reading.feed))


@router.post("/password", summary="Change one's own password", responses=problems(400, 413, 422, 429))
async def change_password(body: PasswordBody, origin: OriginOf, services: ServicesOf) -> Login:
    """Ends all access tokens of the user; the answer holds a new one. Sockets end soon after, and come back with it."""
    company = await services.directory.company(origin.company_id)
    email = company.users[str(origin.actor)].email
    # Who has an access token is no stranger: strangers' guesses at the account do not keep them from this.
    device = Device(f"user {origin.actor}", origin.actor)
    if not await _verified_device(services, device, _Credentials(email, body.current_password, origin.company_id)):
        errors = [FieldError(pointer="/current_password", message="Should be your password")]
        raise Problem(422, "wrong_password", "The current password is wrong.", errors=errors)
    password_hash = await services.passwords.hash(body.new_password)
    async with services.settings.changing(origin) as change:
        await change.set_password(change.company.users[str(origin.actor)], password_hash)
    return await _login(services, origin.company_id, origin.actor, None)


@router.post("/logout", status_code=204, summary="Log out everywhere", responses=problems(400, 422))
async def log_out(origin: OriginOf, services: ServicesOf) -> None:
    """Ends all access tokens of the user, wherever they are, and soon after the sockets."""
    async with services.settings.changing(origin) as change:
        await change.end_tokens(change.company.users[str(origin.actor)])


@dataclass(frozen=True, slots=True)
class _Credentials:
    """What somebody says to log in."""

    email: str
    """In lower case."""
    password: str = field(repr=False)
    company_id: UUID | None
    """The one company that is meant; None for any."""


async def _verified_device(services: Services, device: Device, given: _Credentials) -> list[tuple[UUID, UUID]]:
    """Return company and user ids of a device's own user with these credentials."""
    try:
        services.limiter.try_device(device, monotonic())
    except TooManyAttempts as refusal:
        raise _too_many_attempts(refusal) from None
    try:
        found = await services.passwords.verify(given.email, given.password, given.company_id)
    except (DatabaseAway, TooManyAtOnce):
        services.limiter.device_unanswered(device)
        raise
    own = [(company_id, user_id) for company_id, user_id in found if user_id == device.user_id]
    if own:
        services.limiter.device_succeeded(device)
    # Accounts of others with the same address and password are not told: that would be guesses which no account counts.
    return own


async def _verified_account(
    services: Services, given: _Credentials, network: str, *, is_known: bool
) -> list[tuple[UUID, UUID]]:
    """Return company and user id of each account with these credentials.

    Args:
        services: of the process.
        given: the credentials.
        network: where the try comes from.
        is_known: whether a known device was not enough: its user's password was wrong, whatever the account's count.
    """
    try:
        services.limiter.try_account(given.email, network, monotonic())
    except TooManyAttempts as refusal:
        if is_known:
            return []
        raise _too_many_attempts(refusal) from None
    try:
        found = await services.passwords.verify(given.email, given.password, given.company_id)
    except (DatabaseAway, TooManyAtOnce):
        services.limiter.account_unanswered(given.email, network)
        raise
    if found:
        services.limiter.account_succeeded(given.email, network)
    return found


def _too_many_attempts(refusal: TooManyAttempts) -> Problem:
    retry_after = {"Retry-After": str(ceil(refusal.retry_after))}
    return Problem(429, "too_many_attempts", "Wait before you try again.", headers=retry_after)


def _network(request: Request) -> str:
    return client_network(request.client.host if request.client else "")


async def _login(services: Services, company_id: UUID, user_id: UUID, device: Device | None) -> Login:
    feed = await services.directory.feed(company_id)
    company = await services.directory.company(company_id, at_least=feed.settings_version)
    user = company.users[str(user_id)]
    claims = tokens.Claims(user_id=user.id, company_id=company.id, role=user.role)
    # By PostgreSQL's clock, as the time at which tokens end: by that of a host which is ahead it would outlive its end.
    # Not before the others ended, even if that was by a server whose clock was ahead.
    now = max(feed.at, user.tokens_since or feed.at)
    lifetime = services.token_lifetime
    token = tokens.issue(claims, services.signing_key, now=now, lifetime=lifetime)
    if device is None or device.user_id != user_id:
        device = Device(str(services.new_id()), user_id)
    return Login(
        access_token=token,
        expires_in=int(lifetime.total_seconds()),
        user=_account(company, user),
        device_token=services.device_tokens.issue(device, services.clock()),
    )


def _account(company: Company, user: User) -> Account:
    return Account(
        id=user.id, name=user.name, email=user.email, role=user.role, company_id=company.id, company_name=company.name
    )

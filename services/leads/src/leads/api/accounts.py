"""`/auth` and `/users`: log in, and who is who."""

from math import ceil
from time import monotonic

from fastapi import APIRouter, Request

from contracts import tokens
from leads.api.context import CallerOf, ServicesOf
from leads.api.schemas import AccountAnswer, Credentials, Links, Login, Meta, PeoplePage
from leads.passwords import TooManyAtOnce, TooManyAttempts
from leads.store.database import DatabaseAway
from runtime.problems import Problem, problems, unauthorized

router = APIRouter(tags=["accounts"], responses=problems(401, 503))


@router.post("/auth/login", summary="Log in", responses=problems(400, 413, 422, 429))
async def log_in(body: Credentials, services: ServicesOf, request: Request) -> Login:
    email = body.email.lower()
    who = email, request.client.host if request.client else ""
    try:
        services.limiter.check(who, monotonic())
    except TooManyAttempts as refusal:
        retry_after = {"Retry-After": str(ceil(refusal.retry_after))}
        raise Problem(429, "too_many_attempts", "Wait before you try again.", headers=retry_after) from None
    try:
        user = await services.passwords.verify(email, body.password)
    except (DatabaseAway, TooManyAtOnce):
        services.limiter.take_back(who)
        raise
    if user is None:
        raise Problem(401, "wrong_credentials", "E-mail address or password is wrong.", headers=_CHALLENGE)
    services.limiter.forgive(who)
    company_id, user_id = user
    account = (await services.views.account(company_id, user_id)).data
    assert account is not None  # its credentials were just read; users are never removed
    claims = tokens.Claims(user_id=account.id, company_id=account.company_id, role=account.role)
    lifetime = services.token_lifetime
    token = tokens.issue(claims, services.jwt_secret, now=services.clock(), lifetime=lifetime)
    return Login(access_token=token, expires_in=int(lifetime.total_seconds()), user=account)


_CHALLENGE = {"WWW-Authenticate": 'Bearer realm="leadwire"'}


@router.get("/auth/me", summary="Read whom the access token stands for", responses=problems())
async def read_me(caller: CallerOf, services: ServicesOf) -> AccountAnswer:
    found = await services.views.account(caller.company_id, caller.user_id)
    if found.data is None:
        raise unauthorized("The access token's user does not exist.", error="invalid_token")
    return AccountAnswer(data=found.data, meta=Meta(position=found.position))


@router.get("/users", summary="List the company's users", responses=problems())
async def list_users(caller: CallerOf, services: ServicesOf) -> PeoplePage:
    found = await services.views.people(caller.company_id)
    return PeoplePage(data=found.data, meta=Meta(position=found.position), links=Links(next=None))

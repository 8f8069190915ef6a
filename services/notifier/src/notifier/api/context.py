"""What a route gets besides its body: the service's parts, who asks, and what the headers say."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Final
from uuid import UUID

import structlog
from fastapi import Depends, Header, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from contracts import tokens
from contracts.tokens import Verifier
from notifier.connections import Owner
from notifier.inbox import Change, Inbox
from runtime.logs import CORRELATION_ID
from runtime.problems import malformed_header, unauthorized

_SOCKET_ID: Final = re.compile(r"[0-9]{1,20}\.[0-9]{1,20}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """The parts of the running service, made in `main`."""

    inbox: Inbox
    clock: Callable[[], datetime]
    verifier: Verifier
    """Of access tokens."""


async def _services(request: Request) -> Services:
    services: Services = request.app.state.services
    return services


ServicesOf = Annotated[Services, Depends(_services)]
_bearer = HTTPBearer(auto_error=False, description="The `access_token` of `POST /auth/login` of the leads API.")


async def _owner(
    services: ServicesOf, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]
) -> Owner:
    if credentials is None:
        raise unauthorized("An access token is needed.")
    try:
        claims = services.verifier.read(credentials.credentials, now=services.clock())
        owner = Owner(UUID(claims.company_id), UUID(claims.user_id))
    except (tokens.InvalidToken, ValueError):
        raise unauthorized("The access token is not valid.", error="invalid_token") from None
    assert claims.issued_at is not None  # every token that was read has it
    since = await services.inbox.tokens_since(owner)
    if since is not None and claims.issued_at < since:
        raise unauthorized("The access token was ended.", error="invalid_token")
    return owner


OwnerOf = Annotated[Owner, Depends(_owner)]


async def _change(
    owner: OwnerOf,
    x_socket_id: Annotated[str | None, Header(description="The author's Pusher socket, which hears no echo.")] = None,
) -> Change:
    if x_socket_id is not None and not _SOCKET_ID.fullmatch(x_socket_id):
        raise malformed_header("X-Socket-ID", "Should be two numbers with a dot between")
    return Change(
        owner=owner,
        socket_id=x_socket_id,
        correlation_id=structlog.contextvars.get_contextvars().get(CORRELATION_ID),
    )


ChangeOf = Annotated[Change, Depends(_change)]

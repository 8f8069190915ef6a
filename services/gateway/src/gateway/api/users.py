"""`POST …/users/{id}/terminate_connections`: a user is sent away wherever it is signed in."""

from collections.abc import Callable

from fastapi import APIRouter, Request, Response

from contracts.push import Termination
from gateway.api.answers import success
from gateway.api.auth import Authenticator, Call
from gateway.api.rates import Rates
from gateway.api.storing import Store, message_key
from gateway.pusher import channels, users
from gateway.pusher.refusals import Invalid


class Users:
    """What backends may do to users."""

    def __init__(self, auth: Authenticator, rates: Rates, store: Store, *, new_id: Callable[[], str]) -> None:
        """Prepare.

        Args:
            auth: admits requests.
            rates: says when there are too many; an order counts as an event.
            store: where orders go.
            new_id: makes unique text.
        """
        self._auth = auth
        self._rates = rates
        self._store = store
        self._new_id = new_id

    def routes(self) -> APIRouter:
        """Return the routes below `/apps`; an id may hold a slash."""
        router = APIRouter()

        @router.post("/{app_id}/users/{user_id:path}/terminate_connections")
        async def terminate(app_id: str, user_id: str, request: Request) -> Response:
            return await self._terminate(request, await self._auth.of_app(request, app_id), user_id)

        return router

    def short_routes(self) -> APIRouter:
        """Return the routes below `/users`: the Python SDK leaves the app out of the path."""
        router = APIRouter()

        @router.post("/{user_id:path}/terminate_connections")
        async def terminate(user_id: str, request: Request) -> Response:
            return await self._terminate(request, await self._auth.of_key(request), user_id)

        return router

    async def _terminate(self, request: Request, call: Call, user_id: str) -> Response:
        if not users.is_user_id(user_id):
            raise Invalid(f"A user id has 1 to {channels.MAX_USER} characters")
        self._rates.count_events(call.app)
        key = f"terminate:{message_key(call.app, request, self._new_id)}"
        await self._store.store([Termination(app_id=call.app.id, channel=channels.of_user(user_id), key=key)])
        return success({})

"""What a WebSocket's address answers to who does not ask for one: mostly a proxy dropped the headers that do."""

from typing import Final

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

STATUS: Final = 426
EXPLANATION: Final = (
    "This address speaks WebSocket alone, and the request does not ask for that. "
    "A proxy in front of the gateway must pass the headers Upgrade and Connection on.\n"
)
_HEADERS: Final = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13"}


def explanation(prefix: str) -> Route:
    """Return the route of `/app/<key>` below a prefix (RFC 9110 §15.5.22)."""

    async def explain(_request: Request) -> Response:
        return PlainTextResponse(EXPLANATION, STATUS, _HEADERS)

    return Route(f"{prefix}/app/{{key}}", explain)

"""`/asyncapi.json`: what is published besides REST, for other services and for screens. /openapi.json is the rest."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from contracts import asyncapi

_MEDIA_TYPE = "application/vnd.aai.asyncapi+json;version=3.0.0"


def asyncapi_route() -> Route:
    """Return the route: the document holds nothing of any company, so everybody may read it."""
    document = asyncapi.committed()

    async def read_asyncapi(_request: Request) -> Response:
        return Response(document, media_type=_MEDIA_TYPE)

    return Route("/asyncapi.json", read_asyncapi)

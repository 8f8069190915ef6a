"""`/asyncapi.json`: what is published besides REST, for other services and for screens. /openapi.json is the rest."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from contracts import asyncapi
from runtime.api_docs import Document

_MEDIA_TYPE = "application/vnd.aai.asyncapi+json;version=3.0.0"


def asyncapi_route() -> Route:
    """Return the route: the document holds nothing of any company, so everybody may read it."""
    document = Document(asyncapi.committed().encode(), _MEDIA_TYPE)

    async def read_asyncapi(request: Request) -> Response:
        return document.answer(request.headers)

    return Route("/asyncapi.json", read_asyncapi)

"""`/.well-known/jwks.json`: the public keys of access tokens, for services that verify them (RFC 7517 §5)."""

import json

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from contracts.tokens import Verifier

_MEDIA_TYPE = "application/jwk-set+json"
_CACHED = {"Cache-Control": "public, max-age=300"}
"""Shorter than the time between two steps of a rotation."""


def jwks_route(verifier: Verifier) -> Route:
    """Return the route: public keys are for everybody."""
    body = json.dumps(verifier.jwks)

    async def read_jwks(_request: Request) -> Response:
        return Response(body, media_type=_MEDIA_TYPE, headers=_CACHED)

    return Route("/.well-known/jwks.json", read_jwks)

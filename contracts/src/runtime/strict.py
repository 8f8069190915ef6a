"""Routes that accept only what they declare: an unknown or repeated query parameter, or an unexpected body, is refused.

A condition that a route ignores makes an answer wider than what was asked for. So every router of the REST APIs is a
`StrictRouter`, and the check is made before the route's own code runs.
"""

import json
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from typing import Any, Final, get_args, get_origin

from fastapi import APIRouter, Request, Response
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from runtime.problems import SHOWN_NAME, FieldError, Problem, problems

PREFIXES: Final = "x-parameter-prefixes"
"""Extension of an OpenAPI operation: what the names of further query parameters begin with, as a list of strings."""
_MANY: Final = (list, set, tuple, frozenset)
_NO_BODY: Final = frozenset({b"", b"{}", b"null"})


class StrictRoute(APIRoute):
    """A route that refuses what it does not declare.

    Raises:
        Problem: 422 `invalid_request`, with a field error for each unknown or repeated parameter, or for the body.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        serve = super().get_route_handler()
        extra = self.openapi_extra or {}
        single, many = _declared(self, extra)
        prefixes = tuple(extra.get(PREFIXES, ()))
        has_body = self.body_field is not None or "requestBody" in extra

        async def handle(request: Request) -> Response:
            if request.scope["query_string"]:
                _check_query(request, single, many, prefixes)
            strict = _StrictRequest(request.scope, request.receive)
            if not has_body:
                await _check_no_body(strict)
            return await serve(strict)

        return handle


class StrictRouter(APIRouter):
    """A router whose routes are all strict; each may answer 422, which OpenAPI therefore shows for each."""

    def __init__(
        self, *, prefix: str = "", tags: Sequence[str] = (), responses: Mapping[int | str, dict[str, Any]]
    ) -> None:
        super().__init__(
            prefix=prefix, tags=list(tags), responses={**responses, **problems(422)}, route_class=StrictRoute
        )


class _StrictRequest(Request):
    """A request whose JSON must not name a member twice: of two conditions, one would be ignored (RFC 8259 §4)."""

    async def json(self) -> Any:  # noqa: ANN401 - any JSON
        if not hasattr(self, "_json"):
            self._json = json.loads(await self.body(), object_pairs_hook=_unique)
        return self._json


def _declared(route: APIRoute, extra: Mapping[str, Any]) -> tuple[frozenset[str], frozenset[str]]:
    """Return the names of parameters that may be given once, and of those that may be given several times.

    A route that describes parameters for OpenAPI alone reads them itself, repeated ones included.
    """
    fields = list(_query_fields(route.dependant))
    many = {field.alias for field in fields if _takes_many(field.field_info.annotation)}
    many |= {parameter["name"] for parameter in extra.get("parameters", ()) if parameter["in"] == "query"}
    return frozenset(field.alias for field in fields) - many, frozenset(many)


def _query_fields(dependant: Dependant) -> Iterator[Any]:
    yield from dependant.query_params
    for part in dependant.dependencies:
        yield from _query_fields(part)


def _takes_many(annotation: Any) -> bool:  # noqa: ANN401 - any annotation
    return any(get_origin(part) in _MANY for part in (annotation, *get_args(annotation)))


def _check_query(request: Request, single: frozenset[str], many: frozenset[str], prefixes: tuple[str, ...]) -> None:
    seen: set[str] = set()
    errors: dict[str, str] = {}
    for name, _value in request.query_params.multi_items():
        if name in seen and name in single:
            errors[name] = "Should be given once"
        elif name not in single and name not in many and not (prefixes and name.startswith(prefixes)):
            errors[name] = "Unknown parameter"
        seen.add(name)
    if errors:
        raise _invalid([FieldError(field=name[:SHOWN_NAME], message=message) for name, message in errors.items()])


async def _check_no_body(request: Request) -> None:
    if (await request.body()).strip() not in _NO_BODY:
        raise _invalid([FieldError(pointer="", message="Should have no body")])


def _invalid(errors: Sequence[FieldError]) -> Problem:
    return Problem(422, "invalid_request", "The request does not have the required form.", errors=errors)


def _unique(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member is named twice")
    return members

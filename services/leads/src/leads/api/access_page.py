"""The authorisation matrix as docs/access.md has it."""

from fastapi.routing import APIRoute

from leads import access
from leads.api.app import MODULES


def table() -> str:
    """Return a table of operations, requests and roles."""
    routes = [route for module in MODULES for route in module.router.routes if isinstance(route, APIRoute)]
    places = {route.name: f"`{method} {route.path_format}`" for route in routes for method in route.methods or ()}
    heading = ("operation", "request", *access.ROLES)
    rows = [(f"`{name}`", places.get(name, "a part of others"), *_roles(name)) for name in access.OPERATIONS]
    return "".join(f"| {' | '.join(row)} |\n" for row in (heading, ["---"] * len(heading), *rows))


def _roles(operation: str) -> list[str]:
    return ["yes" if access.may(role, operation) else "–" for role in access.ROLES]  # noqa: RUF001 - a dash

"""The problems a route may answer, for OpenAPI."""

from http import HTTPStatus
from typing import Any

from leads.api.errors import MEDIA_TYPE, ProblemDetails, code_of


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return OpenAPI's description of these error answers, each with an example."""
    return {status: _described(HTTPStatus(status)) for status in statuses}


def as_problems(openapi: dict[str, Any]) -> dict[str, Any]:
    """Return an OpenAPI document whose error answers bear the media type they are sent with."""
    for path in openapi["paths"].values():
        for operation in path.values():
            for status, response in operation["responses"].items():
                if status >= "400":
                    response["content"] = {MEDIA_TYPE: response["content"].pop("application/json")}
    return openapi


def _described(status: HTTPStatus) -> dict[str, Any]:
    code = code_of(status)
    example = {
        "type": f"urn:leadwire:problem:{code}",
        "title": status.phrase,
        "status": status.value,
        "detail": f"{status.description or status.phrase}.",
        "code": code,
        "correlation_id": "5f0e6b0e-93f5-4f0e-8a53-3f1b0a2c9d10",
    }
    return {
        "description": status.phrase,
        "model": ProblemDetails,
        "content": {"application/json": {"example": example}},
    }

"""`GET /asyncapi.json` of a running API."""

import json

import httpx
import pytest

from contracts import asyncapi
from support.stack import Stack


@pytest.mark.system
async def test_everybody_may_read_what_is_published(stack: Stack) -> None:
    async with httpx.AsyncClient(base_url=stack.topology.leads.url) as nobody:
        answer = await nobody.get("/asyncapi.json")

    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/vnd.aai.asyncapi+json;version=3.0.0"
    assert answer.json() == json.loads(asyncapi.committed())

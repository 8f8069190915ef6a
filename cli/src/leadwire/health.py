"""Whether a service says that it is ready."""

import httpx


async def is_healthy(http: httpx.AsyncClient, url: str) -> bool:
    """Whether `url`, a service's /readyz, answers 200."""
    try:
        return (await http.get(url)).is_success
    except httpx.TransportError:
        return False

"""`POST /apps/{id}/events` and `/batch_events`: what backends send. Success is exactly `{}`."""

from collections.abc import Callable

from fastapi import APIRouter, Request, Response

from gateway import metrics
from gateway.api.auth import Authenticator
from gateway.api.rates import Rates
from gateway.api.storing import Store, message_key, pushes
from gateway.pusher import trigger


def routes(auth: Authenticator, rates: Rates, store: Store, *, new_id: Callable[[], str]) -> APIRouter:
    """Return the routes below `/apps`.

    Args:
        auth: admits requests.
        rates: says when there are too many.
        store: where events go.
        new_id: makes unique text.
    """
    router = APIRouter()

    @router.post("/{app_id}/events")
    async def post_event(app_id: str, request: Request) -> Response:
        call = await auth.of_app(request, app_id)
        event = trigger.parse(call.body, call.query, call.app)
        rates.count_events(call.app)
        await store.store(pushes(call.app, event, message_key(call.app, request, new_id)))
        metrics.TRIGGERS.labels(app_id).inc()
        return Response(b"{}", media_type="application/json")

    @router.post("/{app_id}/batch_events")
    async def post_batch(app_id: str, request: Request) -> Response:
        call = await auth.of_app(request, app_id)
        events = trigger.parse_batch(call.body, call.app)
        rates.count_events(call.app, len(events))
        key = message_key(call.app, request, new_id)
        # Two events of a batch may go to one channel, so that each has a key of its own.
        keyed = [(event, f"batch:{index}:{key}") for index, event in enumerate(events)]
        await store.store([push for event, own_key in keyed for push in pushes(call.app, event, own_key)])
        metrics.TRIGGERS.labels(app_id).inc(len(events))
        return Response(b"{}", media_type="application/json")

    return router

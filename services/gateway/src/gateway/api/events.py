"""`POST /apps/{id}/events` and `/batch_events`: what backends send. Success is exactly `{}`, without `info`."""

from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from typing import Any, Protocol

from fastapi import APIRouter, Request, Response

from gateway import metrics
from gateway.api.answers import success
from gateway.api.auth import Authenticator
from gateway.api.rates import Rates
from gateway.api.storing import Store, message_key, pushes
from gateway.pusher import attributes, census, channels, trigger
from gateway.pusher.app import App
from gateway.pusher.attributes import Attribute
from gateway.pusher.census import Audience, Question
from gateway.pusher.trigger import Trigger


class Listeners(Protocol):
    """Whoever knows what all gateways know together; see `Reads`."""

    async def ask(self, app_id: str, question: Question) -> Mapping[str, Audience]: ...


def routes(
    auth: Authenticator, rates: Rates, store: Store, listeners: Listeners, *, new_id: Callable[[], str]
) -> APIRouter:
    """Return the routes below `/apps`.

    Args:
        auth: admits requests.
        rates: says when there are too many.
        store: where events go.
        listeners: whom to ask for `info`; before anything is stored, so that an error means that nothing was.
        new_id: makes unique text.
    """
    router = APIRouter()

    @router.post("/{app_id}/events")
    async def post_event(app_id: str, request: Request) -> Response:
        call = await auth.of_app(request, app_id)
        event = trigger.parse(call.body, call.query, call.app)
        rates.count_events(call.app)
        own_key = message_key(call.app, request, new_id)
        answer = _answer(event, await _audiences(listeners, call.app, [event]))
        await store.store(pushes(call.app, event, own_key))
        metrics.TRIGGERS.labels(app_id).inc()
        return success({"channels": answer} if event.info else {})

    @router.post("/{app_id}/batch_events")
    async def post_batch(app_id: str, request: Request) -> Response:
        call = await auth.of_app(request, app_id)
        events = trigger.parse_batch(call.body, call.app)
        rates.count_events(call.app, len(events))
        key = message_key(call.app, request, new_id)
        # Two events of a batch may go to one channel, so that each has a key of its own.
        keyed = [(event, f"batch:{index}:{key}") for index, event in enumerate(events)]
        audiences = await _audiences(listeners, call.app, events)
        await store.store([push for event, own_key in keyed for push in pushes(call.app, event, own_key)])
        metrics.TRIGGERS.labels(app_id).inc(len(events))
        if not any(event.info for event in events):
            return success({})
        return success({"batch": [_answer(event, audiences)[event.channels[0]] for event in events]})

    @router.post("/{app_id}/channels/{name}/events")
    async def post_raw(app_id: str, name: str, request: Request) -> Response:
        """Take an event as the API did until 2012: its data is the body."""
        call = await auth.of_app(request, app_id)
        event = trigger.parse_raw(name, call.body, call.query, call.app)
        rates.count_events(call.app)
        await store.store(pushes(call.app, event, message_key(call.app, request, new_id)))
        metrics.TRIGGERS.labels(app_id).inc()
        return success({}, 202)

    return router


async def _audiences(listeners: Listeners, app: App, events: Sequence[Trigger]) -> Mapping[str, Audience]:
    """Ask about the channels of those events that want to know."""
    asking = [event for event in events if event.info]
    if not asking:
        return {}
    names = dict.fromkeys(chain.from_iterable(event.channels for event in asking))
    users = any(Attribute.USER_COUNT in event.info for event in asking)
    return await listeners.ask(app.id, Question(names=tuple(names), users=users))


def _answer(event: Trigger, audiences: Mapping[str, Audience]) -> dict[str, dict[str, Any]]:
    """Return channel → what the event wants to know of it."""
    return {
        name: attributes.counts(event.info, channels.kind_of(name), census.of(audiences, name))
        for name in event.channels
    }

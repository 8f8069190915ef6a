"""`/leads/{id}/messages`: the chat on a lead."""

from dataclasses import replace
from typing import Annotated
from uuid import UUID

from fastapi import Response
from pydantic import Field, StringConstraints

from contracts.events import Message
from leads import domain
from leads.api import examples
from leads.api.answers import CHANGING, tag
from leads.api.context import ConditionalIntentOf, ServicesOf
from leads.api.schemas import Answer as Answered
from leads.api.schemas import Body, Meta, example
from leads.command import Answer, Command, message_id_of
from leads.domain.lead import UNDATED
from leads.domain.messages import LONGEST, MOST_MENTIONS
from leads.handle import handle
from runtime.problems import problems
from runtime.strict import StrictRouter

router = StrictRouter(prefix="/leads", tags=["messages"], responses=problems(401, 503))

Text = Annotated[
    str, StringConstraints(strip_whitespace=True, pattern=r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f]*$", max_length=LONGEST)
]
Mentions = Annotated[list[UUID], Field(max_length=MOST_MENTIONS)]


class NewMessage(Body):
    """A message to post."""

    model_config = example({"body": "@Grace can you call her?", "mentions": [examples.PERSON["id"]]})

    body: Annotated[Text, Field(min_length=1)]
    mentions: Mentions = Field(default_factory=list)
    """Ids of active users."""


class MessageEdit(Body):
    """What a message is to say instead."""

    model_config = example({"body": "Somebody please call her"})

    body: Annotated[Text, Field(min_length=1)]
    mentions: Mentions | None = None
    """Whom it mentions from now on; null or absent: whom it mentioned before."""


class MessageAnswer(Answered[Message]):
    """One message. The answer's ETag is the lead's."""

    model_config = example(examples.answer(examples.MESSAGE))


@router.post("/{lead_id}/messages", status_code=201, summary="Post a message on a lead", responses=CHANGING)
async def post_message(
    lead_id: UUID, body: NewMessage, intent: ConditionalIntentOf, services: ServicesOf, response: Response
) -> MessageAnswer:
    command = intent.command(f"POST /leads/{lead_id}/messages {body.model_dump_json()}", lead_id)
    command = replace(command, message_id=message_id_of(command.id))
    message = replace(_written(command, body.body), mentions=tuple(map(str, body.mentions)))
    answer = await handle(
        services.store,
        command,
        lambda lead, company, at: domain.post(lead, replace(message, posted_at=at), company),
    )
    return _answer(answer, response)


@router.patch("/{lead_id}/messages/{message_id}", summary="Change a message of one's own", responses=CHANGING)
async def edit_message(
    lead_id: UUID,
    message_id: UUID,
    body: MessageEdit,
    intent: ConditionalIntentOf,
    services: ServicesOf,
    response: Response,
) -> MessageAnswer:
    command = intent.command(f"PATCH /leads/{lead_id}/messages/{message_id} {body.model_dump_json()}", lead_id)
    command = replace(command, message_id=message_id)
    message = _written(command, body.body)
    mentions = None if body.mentions is None else tuple(map(str, body.mentions))
    answer = await handle(
        services.store,
        command,
        lambda lead, company, at: domain.edit(lead, replace(message, posted_at=at), mentions, company),
    )
    return _answer(answer, response)


def _written(command: Command, body: str) -> Message:
    return Message(id=str(command.message_id), author=str(command.actor), body=body, posted_at=UNDATED)


def _answer(answer: Answer, response: Response) -> MessageAnswer:
    tag(answer, response)
    assert answer.message is not None  # its command names one
    return MessageAnswer(data=answer.message, meta=Meta.of(answer))

"""The chat on a lead."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final

from contracts.events import LeadEvent, LeadMessageEdited, LeadMessagePosted, LeadSummary, Message
from leads.domain.company import Company
from leads.domain.lead import Lead, after, existing
from leads.domain.refusals import ChatFull, MessageNotFound, NotTheAuthor, UnknownMention
from leads.domain.text import lines

LONGEST: Final = 4000
MOST_MENTIONS: Final = 20
MOST: Final = 5_000  # messages of a lead: who decides about it reads all of them


def post(lead: Lead | None, message: Message, company: Company) -> Sequence[LeadEvent]:
    """Write a message on a lead; it comes with its id, author and time."""
    current = existing(lead)
    assert lead is not None  # it exists
    if current.messages >= MOST:
        raise ChatFull
    body = lines(message.body, "/body", longest=LONGEST)
    posted = replace(message, body=body, mentions=_mentions(message.mentions, company))
    return [
        LeadMessagePosted(
            lead=after(current, {}, message.posted_at, messages=current.messages + 1),
            message=posted,
            participants=_participants(current, [*lead.messages.values(), posted], company),
        )
    ]


def edit(lead: Lead | None, message: Message, mentions: Sequence[str] | None, company: Company) -> Sequence[LeadEvent]:
    """Change a message's body and, unless None, whom it mentions.

    Args:
        lead: the lead.
        message: the id, new body and time of the edit; its `author` is who wants to change it.
        mentions: ids of users; None leaves those whom it mentions.
        company: whose users may be mentioned.
    """
    current = existing(lead)
    assert lead is not None  # it exists
    before = lead.messages.get(message.id)
    if before is None:
        raise MessageNotFound
    if before.author != message.author:
        raise NotTheAuthor
    body = lines(message.body, "/body", longest=LONGEST)
    mentioned = before.mentions if mentions is None else _mentions(mentions, company, known=before.mentions)
    if (body, mentioned) == (before.body, before.mentions):
        return []
    edited = replace(before, body=body, mentions=mentioned, edited_at=max(message.posted_at, before.posted_at))
    return [
        LeadMessageEdited(
            lead=after(current, {}, message.posted_at),
            message=edited,
            before=before.body,
            mentioned=tuple(user for user in mentioned if user not in before.mentions),
        )
    ]


def _mentions(user_ids: Iterable[str], company: Company, known: Sequence[str] = ()) -> tuple[str, ...]:
    """Return users to mention, each once; who was mentioned before may have left since."""
    mentions = tuple(dict.fromkeys(user_ids))
    if len(mentions) > MOST_MENTIONS or not all(user in known or _is_active(user, company) for user in mentions):
        raise UnknownMention("/mentions")
    return mentions


def _participants(lead: LeadSummary, chat: Iterable[Message], company: Company) -> tuple[str, ...]:
    followers = [lead.assigned_to] if lead.assigned_to else []
    followers += [user for message in chat for user in (message.author, *message.mentions)]
    return tuple(user for user in dict.fromkeys(followers) if _is_active(user, company))


def _is_active(user_id: str, company: Company) -> bool:
    user = company.users.get(user_id)
    return user is not None and user.active

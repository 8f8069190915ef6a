"""The rules of the chat on a lead: given facts, when a command, then facts."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from contracts.events import LeadEvent, LeadMessageEdited, LeadMessagePosted, Message
from leads import domain
from leads.domain import LeadNotFound
from leads.domain.lead import Lead, with_messages
from leads.domain.messages import MOST
from leads.domain.refusals import ChatFull, InvalidText, MessageNotFound, NotTheAuthor, UnknownMention

from .specs import ACME, ADA, BOB, CLEO, GONE, ID, LATER, NOW, OTHER_ID, VERA, after, created, lead

HELLO = Message(id="m1", author=ADA, body="Hello", posted_at=NOW)


def post(given: Lead | None, message_id: str = "m1", **values: Any) -> Sequence[LeadEvent]:
    return domain.post(given, replace(HELLO, id=message_id, **values), ACME)


def edit(given: Lead | None, body: str, mentions: Sequence[str] | None = None, **values: Any) -> Sequence[LeadEvent]:
    return domain.edit(given, replace(HELLO, body=body, posted_at=LATER, **values), mentions, ACME)


def test_a_message_is_posted_and_counted() -> None:
    (posted,) = post(lead(*created()), body="  Call her\r\nat noon ", mentions=(BOB, BOB))

    assert isinstance(posted, LeadMessagePosted)
    assert posted.message == replace(HELLO, body="Call her\nat noon", mentions=(BOB,))
    assert (posted.lead.messages, posted.lead.version) == (1, 2)


def test_whoever_is_concerned_with_a_lead_follows_it() -> None:
    facts = created(assigned_to=BOB)
    facts += post(lead(*facts), "m1", author=ADA, mentions=(VERA,))
    facts += post(lead(*facts), "m2", author=CLEO)

    last = facts[-1]

    assert isinstance(last, LeadMessagePosted)
    assert last.participants == (BOB, ADA, VERA, CLEO)


def test_nobody_who_has_left_is_mentioned_or_told() -> None:
    given = replace(lead(*created()), messages={"m0": replace(HELLO, id="m0", author=GONE)})  # type: ignore[type-var]

    (posted,) = post(given)

    assert isinstance(posted, LeadMessagePosted)
    assert posted.participants == (ADA,)
    for mentions in ((GONE,), ("nobody",), tuple(f"{number}" for number in range(21))):
        with pytest.raises(UnknownMention):
            post(given, mentions=mentions)


def test_a_chat_has_an_end() -> None:
    given = lead(*created())
    assert given is not None
    full = replace(given, summary=replace(given.summary, messages=MOST))

    with pytest.raises(ChatFull):
        post(full)


@pytest.mark.parametrize("body", ["", " \n ", "x" * 4001, "\x00", "\x1b[31m"])
def test_a_body_is_text_of_some_length(body: str) -> None:
    given = lead(*created())

    with pytest.raises(InvalidText):
        post(given, body=body)
    with pytest.raises(InvalidText):
        edit(lead(*created(), *post(given)), body)


def test_an_author_changes_a_message() -> None:
    facts = created()
    facts += post(lead(*facts), mentions=(BOB,))

    (edited,) = edit(lead(*facts), "Hello all", [BOB, CLEO])

    assert isinstance(edited, LeadMessageEdited)
    assert edited.message == replace(HELLO, body="Hello all", mentions=(BOB, CLEO), edited_at=LATER)
    assert (edited.before, edited.mentioned) == ("Hello", (CLEO,))
    assert (edited.lead.messages, edited.lead.version) == (1, 3)


def test_what_an_edit_does_not_name_it_leaves() -> None:
    facts = created()
    facts += post(lead(*facts), mentions=(BOB,))

    assert edit(lead(*facts), " Hello ") == []
    assert edit(lead(*facts), "Hello", [BOB]) == []
    (edited,) = edit(lead(*facts), "Hello", [])
    assert isinstance(edited, LeadMessageEdited)
    assert edited.message.mentions == ()


def test_who_was_mentioned_may_have_left_since() -> None:
    facts = created()
    facts += post(lead(*facts), mentions=(BOB,))
    without_bob = replace(ACME, users={ADA: ACME.users[ADA]})

    facts += domain.edit(lead(*facts), replace(HELLO, body="Hi"), [BOB], without_bob)

    assert after(*facts).version == 3


def test_only_the_author_changes_a_message() -> None:
    facts = created()
    facts += post(lead(*facts))

    with pytest.raises(NotTheAuthor):
        edit(lead(*facts), "Never said so", author=BOB)
    with pytest.raises(MessageNotFound):
        edit(lead(*created()), "Hi")
    with pytest.raises(LeadNotFound):
        edit(None, "Hi")
    with pytest.raises(LeadNotFound):
        post(None)


def test_messages_of_a_merged_lead_are_the_survivors_too() -> None:
    theirs = created(lead_id=OTHER_ID)
    theirs += post(lead(*theirs), "m1")
    ours = created(lead_id=ID)
    ours += post(lead(*ours), "m2", author=BOB)
    merged, _ = domain.merge(lead(*ours), lead(*theirs), {}, ACME, LATER)

    survivor = with_messages(lead(*ours, merged), theirs)

    assert merged.lead.messages == 2
    assert survivor is not None
    assert list(survivor.messages) == ["m1", "m2"]
    (edited,) = edit(survivor, "Hello again")
    assert isinstance(edited, LeadMessageEdited)
    assert (edited.lead.id, edited.message.id) == (ID, "m1")

"""What a batch of messages means: by company a run of facts to apply, dead letters, and what has to wait. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from nats.aio.msg import Msg

from contracts import streams, subjects
from contracts.dead import DeadLetter
from notifier.feed import Entry, Unreadable
from notifier.store import Advance


@dataclass(frozen=True, slots=True)
class Letter:
    """A message and what it says."""

    message: Msg
    content: Entry | Unreadable


@dataclass(frozen=True, slots=True)
class Plan:
    """What a batch means for one company."""

    company_id: str
    cursor: int
    run: Sequence[Entry]
    """The facts to apply: dense, right after the cursor."""

    @property
    def end(self) -> int:
        """The cursor afterwards."""
        return self.cursor + len(self.run)

    @property
    def advance(self) -> Advance:
        """What the database has to remember."""
        due = max((entry.position for entry in self.run if entry.reaction.changes_stats), default=0)
        return Advance(company_id=self.company_id, position=self.end, stats_due=due)


def by_company(letters: Iterable[Letter]) -> dict[str, list[Entry]]:
    """Return the entries among the letters by company."""
    entries: defaultdict[str, list[Entry]] = defaultdict(list)
    for letter in letters:
        if isinstance(letter.content, Entry):
            entries[letter.content.company_id].append(letter.content)
    return entries


def waiting(letters: Iterable[Letter], plans: Iterable[Plan]) -> Mapping[str, Letter]:
    """Return, by company, the letter with the highest position among those that cannot be applied yet."""
    ends = {plan.company_id: plan.end for plan in plans}
    highest: dict[str, tuple[int, Letter]] = {}
    for letter in letters:
        match letter.content:
            case Entry(company_id=company_id, position=position, failure=None) if position > ends[company_id]:
                if position > highest.get(company_id, (0, letter))[0]:
                    highest[company_id] = position, letter
    return {company_id: letter for company_id, (_position, letter) in highest.items()}


def dead_letters(letters: Iterable[Letter], plans: Sequence[Plan]) -> list[DeadLetter]:
    """Return what has to be given up on: each position once, whether it was delivered or fetched."""
    cursors = {plan.company_id: plan.cursor for plan in plans}
    fetched = [_dead(entry, subjects.changes_request(plan.company_id)) for plan in plans for entry in plan.run]
    delivered = [
        _dead(letter.content, letter.message.subject, letter.message.metadata.sequence.stream)
        for letter in letters
        if letter.content.failure is not None and not _is_past(letter.content, cursors)
    ]
    return list({letter.key: letter for letter in (*fetched, *delivered) if letter is not None}.values())


def _is_past(content: Entry | Unreadable, cursors: Mapping[str, int]) -> bool:
    return isinstance(content, Entry) and content.position <= cursors[content.company_id]


def _dead(content: Entry | Unreadable, source: str, sequence: int | None = None) -> DeadLetter | None:
    if content.failure is None:
        return None
    match content:
        case Entry():
            key, correlation_id = f"{content.company_id}:{content.position}", content.correlation_id
        case Unreadable():
            key, correlation_id = f"{streams.CRM}:{sequence}", None
    return DeadLetter(
        consumer=streams.NOTIFIER,
        key=key,
        cause=content.failure,
        source=source,
        sequence=sequence,
        body=content.body,
        correlation_id=correlation_id,
    )

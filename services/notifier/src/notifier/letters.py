"""What a batch of messages means: by company a run of facts to apply, dead letters, and what has to wait. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from nats.aio.msg import Msg

from contracts import streams, subjects
from contracts.dead import DeadLetter
from contracts.push import Push, Termination
from notifier.cursors import Cursor
from notifier.feed import Entry, Unreadable
from notifier.reaction import ShutOut
from notifier.store import Advance, JobPart, Telling

MOST_UNDECIDED: Final = 10  # letters of a company that are kept until the log can be asked about them


@dataclass(frozen=True, slots=True)
class Letter:
    """A message and what it says."""

    message: Msg
    content: Entry | Unreadable


@dataclass(frozen=True, slots=True)
class Plan:
    """What a batch means for one company."""

    company_id: str
    start: Cursor
    run: Sequence[Entry]
    """The facts to apply: dense, right after the cursor."""
    head: int | None = None
    """How far the log goes, if it was asked."""

    @property
    def cursor(self) -> int:
        """The last position before."""
        return self.start.position

    @property
    def after(self) -> Cursor:
        """The cursor afterwards, with what it remembers."""
        epoch = next((entry.epoch for entry in reversed(self.run) if entry.epoch is not None), None)
        return self.start.after((entry.digest for entry in self.run), epoch)

    @property
    def end(self) -> int:
        """The cursor afterwards."""
        return self.cursor + len(self.run)

    @property
    def advance(self) -> Advance:
        """What the database has to remember."""
        return Advance(
            company_id=self.company_id,
            position=self.end,
            stats_due=max((entry.position for entry in self.run if entry.reaction.changes_stats), default=0),
            passed_over=[entry.position for entry in self.run if entry.failure is not None],
            epoch=self.after.epoch,
            digests=self.after.digests,
        )

    @property
    def pushes(self) -> Iterator[Push | Termination]:
        """What screens hear at once."""
        return (push for entry in self.run for push in entry.reaction.pushes)

    @property
    def tellings(self) -> Iterator[Telling]:
        """Who is notified."""
        return (telling for entry in self.run for telling in tellings(entry))

    @property
    def jobs(self) -> list[JobPart]:
        """What is told job by job."""
        return job_parts(self.run)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the entries of one company came to."""

    plan: Plan
    foreign: Mapping[int, str] = field(default_factory=dict)
    """The entries, by identity, that the log contradicts, and why they are no facts."""
    abandoned: frozenset[int] = frozenset()
    """Those of an epoch of the log that has ended."""
    undecided: frozenset[int] = frozenset()
    """Those of which only the log could tell, and it does not answer."""

    def waits(self, entry: Entry) -> bool:
        """Whether an entry has to come again."""
        if id(entry) in self.foreign or id(entry) in self.abandoned:
            return False
        return entry.position > self.plan.end


def tellings(entry: Entry) -> Iterator[Telling]:
    """Return who is notified of a fact."""
    for told in entry.reaction.notifications:
        yield Telling(
            company_id=entry.company_id,
            told=told,
            correlation_id=entry.correlation_id,
            traceparent=entry.traceparent,
        )


def job_parts(run: Sequence[Entry]) -> list[JobPart]:
    """Return what a company's facts are to bulk jobs, job by job."""
    positions: defaultdict[str, list[int]] = defaultdict(list)
    for entry in run:
        if entry.reaction.job_id is not None:
            positions[entry.reaction.job_id].append(entry.position)
    return [
        JobPart(company_id=run[0].company_id, job_id=job_id, count=len(found), position=found[-1])
        for job_id, found in positions.items()
    ]


def shut_out(run: Iterable[Entry]) -> dict[tuple[str, str], ShutOut]:
    """Return whose access tokens end, by company and user."""
    ended = ((entry.company_id, entry.reaction.shut_out) for entry in run)
    return {(company_id, user.user_id): user for company_id, user in ended if user is not None}


def by_company(letters: Iterable[Letter]) -> dict[str, list[Entry]]:
    """Return the entries among the letters by company."""
    entries: defaultdict[str, list[Entry]] = defaultdict(list)
    for letter in letters:
        if isinstance(letter.content, Entry):
            entries[letter.content.company_id].append(letter.content)
    return entries


def waiting(letters: Iterable[Letter], verdicts: Iterable[Verdict]) -> Mapping[str, Sequence[Letter]]:
    """Return, by company, the letters that have to come again.

    Of those that cannot be applied yet the one with the highest position: the others will be fetched before it. And
    those that nobody could judge, up to a bound.
    """
    by_id = {verdict.plan.company_id: verdict for verdict in verdicts}
    highest: dict[str, tuple[int, Letter]] = {}
    undecided: defaultdict[str, list[Letter]] = defaultdict(list)
    for letter in letters:
        if not isinstance(letter.content, Entry):
            continue
        company_id, position = letter.content.company_id, letter.content.position
        verdict = by_id[company_id]
        if id(letter.content) in verdict.undecided and len(undecided[company_id]) < MOST_UNDECIDED:
            undecided[company_id].append(letter)
        elif verdict.waits(letter.content) and position > highest.get(company_id, (0, letter))[0]:
            highest[company_id] = position, letter
    companies = {*undecided, *highest}
    return {
        company_id: [*undecided[company_id], *([highest[company_id][1]] if company_id in highest else [])]
        for company_id in companies
    }


def dead_letters(letters: Sequence[Letter], verdicts: Sequence[Verdict]) -> list[DeadLetter]:
    """Return what has to be given up on: what cannot be read, what the log contradicts, and facts that fail."""
    brought = {
        (letter.content.company_id, letter.content.position, letter.content.digest): letter.message
        for letter in letters
        if isinstance(letter.content, Entry)
    }
    failing = [
        _dead(entry, brought.get((entry.company_id, entry.position, entry.digest)))
        for verdict in verdicts
        for entry in verdict.plan.run
        if entry.failure is not None
    ]
    causes = {key: cause for verdict in verdicts for key, cause in verdict.foreign.items()}
    others = [
        foreign(letter.content, causes[id(letter.content)], letter.message)
        for letter in letters
        if isinstance(letter.content, Entry) and id(letter.content) in causes
    ]
    unreadable = [_dead(letter.content, letter.message) for letter in letters if isinstance(letter.content, Unreadable)]
    return list({letter.key: letter for letter in (*unreadable, *others, *failing)}.values())


def foreign(entry: Entry, cause: str, message: Msg | None) -> DeadLetter:
    """Return the dead letter of what claims to be a fact, and is not in the log."""
    letter = _dead(replace(entry, failure=cause, stack=()), message)
    place = "fetched" if message is None else str(message.metadata.sequence.stream)
    return replace(letter, key=f"{streams.CRM}:{place}:{entry.digest.hex()}")


def _dead(content: Entry | Unreadable, message: Msg | None) -> DeadLetter:
    assert content.failure is not None
    sequence = None if message is None else message.metadata.sequence.stream
    letter = DeadLetter(
        consumer=streams.NOTIFIER,
        key=f"{streams.CRM}:{sequence}",
        cause=content.failure,
        source="" if message is None else message.subject,
        sequence=sequence,
        body=content.body,
        stack=content.stack,
        original={} if message is None else message.headers or {},
    )
    if isinstance(content, Unreadable):
        return letter
    return replace(
        letter,
        key=f"{content.company_id}:{content.position}",
        source=letter.source or subjects.changes_request(content.company_id),
        correlation_id=content.correlation_id,
        event=content.event,
        place=(content.company_id, content.position),
    )

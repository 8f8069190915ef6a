"""A lead against a model that is too simple to be wrong: whatever is asked in whatever order, both are the same."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import timedelta
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from contracts import envelope
from contracts.events import NAMES, LeadEvent, Message
from leads import domain
from leads.domain import Conversion, LeadRefusal, counters

from .specs import ACME, ADA, BOB, ID, NOW, OTHER_ID, created, lead, told

STATUSES = ("new", "contacted", "qualified", "won", "lost", "asleep")
FORBIDDEN = {("contacted", to) for to in ("new", "won", "asleep")}
TAGS = st.lists(st.sampled_from(["vip", "hot", "cold"]), max_size=2)


class OneLead(RuleBasedStateMachine):
    """The lead is the fold of its facts; the model is a dictionary that is assigned to."""

    def __init__(self) -> None:
        super().__init__()
        self.facts: list[LeadEvent] = created()
        self.model: dict[str, Any] = {
            "name": "Ada",
            "status": "new",
            "assigned_to": None,
            "lost_reason": None,
            "tags": set(),
        }
        self.model |= {"score": None, "messages": {}, "converted": False, "deleted": False}
        self.now = NOW

    def ask(self, decide: Any, **expected: Any) -> None:
        """Ask for something that the model allows, and assign what it comes to."""
        self.now += timedelta(minutes=1)
        self.facts += decide(lead(*self.facts))
        self.model |= expected

    def refuse(self, decide: Any) -> None:
        before = list(self.facts)
        try:
            facts: Sequence[LeadEvent] | None = decide(lead(*self.facts))
        except LeadRefusal:
            facts = None
        assert facts is None
        assert self.facts == before

    @property
    def there(self) -> bool:
        return not self.model["deleted"]

    @precondition(lambda self: self.there)
    @rule(name=st.sampled_from(["Ada", " Bea ", "Cleo"]), score=st.sampled_from([None, 0, 50, 100]))
    def change(self, name: str, score: int | None) -> None:
        patch: domain.LeadPatch = {"name": name, "score": score}
        self.ask(lambda it: domain.change(it, patch, ACME, self.now), name=name.strip(), score=score)

    @precondition(lambda self: self.there)
    @rule(user=st.sampled_from([None, ADA, BOB]))
    def assign(self, user: str | None) -> None:
        self.ask(lambda it: domain.assign(it, user, ACME, self.now), assigned_to=user)

    @precondition(lambda self: self.there)
    @rule(drawn=st.sampled_from([ADA, BOB]))
    def take_turns(self, drawn: str) -> None:
        self.ask(lambda it: domain.assign_by_turn(it, drawn, ACME, self.now), assigned_to=drawn)

    @precondition(lambda self: self.there)
    @rule(status=st.sampled_from(STATUSES), reason=st.sampled_from([None, "Dear"]))
    def move(self, status: str, reason: str | None) -> None:
        now = self.model["status"]
        moving = status != now

        def decide(it: Any) -> Any:
            return domain.change_status(it, status, reason, ACME, self.now)

        is_loss = status in {"lost", "asleep"}
        if (now, status) in FORBIDDEN or (reason and not is_loss) or (moving and status == "lost" and not reason):
            self.refuse(decide)
        elif moving or reason:
            self.ask(decide, status=status, lost_reason=reason)
        else:
            self.ask(decide)

    @precondition(lambda self: self.there)
    @rule(add=TAGS, remove=TAGS)
    def tag(self, add: list[str], remove: list[str]) -> None:
        tags = (self.model["tags"] | {*add}) - {*remove}
        self.ask(lambda it: domain.tag(it, add, remove, self.now), tags=tags)

    @precondition(lambda self: self.there)
    @rule(author=st.sampled_from([ADA, BOB]), body=st.sampled_from(["Hello", "Bye"]))
    def post(self, author: str, body: str) -> None:
        message = Message(id=f"m{len(self.model['messages'])}", author=author, body=body, posted_at=self.now)
        messages = {**self.model["messages"], message.id: (author, body)}
        self.ask(lambda it: domain.post(it, message, ACME), messages=messages)

    @precondition(lambda self: self.there and self.model["messages"])
    @rule(data=st.data(), author=st.sampled_from([ADA, BOB]), body=st.sampled_from(["Hello", "Bye"]))
    def edit(self, data: st.DataObject, author: str, body: str) -> None:
        key = data.draw(st.sampled_from(sorted(self.model["messages"])))
        message = Message(id=key, author=author, body=body, posted_at=self.now)

        def decide(it: Any) -> Any:
            return domain.edit(it, message, None, ACME)

        if self.model["messages"][key][0] != author:
            self.refuse(decide)
        else:
            self.ask(decide, messages={**self.model["messages"], key: (author, body)})

    @precondition(lambda self: self.there)
    @rule()
    def convert(self) -> None:
        def decide(it: Any) -> Any:
            return domain.convert(it, Conversion(), ACME, self.now)

        if self.model["converted"]:
            self.ask(decide)
        elif self.model["status"] == "contacted":
            self.refuse(decide)
        else:
            self.ask(decide, converted=True, status="won", lost_reason=None)

    @precondition(lambda self: self.there)
    @rule()
    def delete(self) -> None:
        self.ask(lambda it: domain.delete(it, self.now), deleted=True)

    @rule()
    def restore(self) -> None:
        self.ask(lambda it: domain.restore(it, ACME, self.now), deleted=False)

    @precondition(lambda self: not self.there)
    @rule(which=st.integers(0, 5))
    def ask_a_lead_that_is_gone(self, which: int) -> None:
        other = lead(*created(lead_id=OTHER_ID))
        message = Message(id="m", author=ADA, body="Hello", posted_at=self.now)
        ways: list[Any] = [
            lambda it: domain.change(it, {"name": "Bob"}, ACME, self.now),
            lambda it: domain.change_status(it, "won", None, ACME, self.now),
            lambda it: domain.post(it, message, ACME),
            lambda it: domain.convert(it, Conversion(), ACME, self.now),
            lambda it: domain.merge(other, it, {}, ACME, self.now),
            lambda it: domain.delete(it, self.now),
        ]
        self.refuse(ways[which])

    @invariant()
    def lead_and_model_are_the_same(self) -> None:
        state = lead(*self.facts)
        assert state is not None
        summary = state.summary
        shown = {name: getattr(summary, name) for name in ("name", "status", "assigned_to", "lost_reason", "score")}
        shown |= {"tags": {*summary.tags}, "deleted": state.deleted, "converted": summary.converted_at is not None}
        shown["messages"] = {key: (message.author, message.body) for key, message in state.messages.items()}
        assert shown == self.model
        assert summary.messages == len(self.model["messages"])

    @invariant()
    def facts_are_dense_and_tell_only_what_changed(self) -> None:
        assert [fact.lead.version for fact in self.facts] == list(range(1, len(self.facts) + 1))
        assert {fact.lead.id for fact in self.facts} == {ID}
        last = self.facts[-1]
        assert all(old != new for old, new in told([last]).values())

    @invariant()
    def a_fact_survives_the_wire(self) -> None:
        last = self.facts[-1]
        assert asdict(envelope.decode(NAMES[type(last)], envelope.encode(last))) == asdict(last)

    @invariant()
    def the_figures_are_those_of_one_lead(self) -> None:
        counted = counters.recount(self.facts)
        assert counted.get(("total", ""), 0) == int(self.there)
        assert sum(number for (kind, _), number in counted.items() if kind == "status") == int(self.there)
        assert all(number > 0 for number in counted.values())


OneLead.TestCase.settings = settings(
    max_examples=40, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
)
TestOneLead = OneLead.TestCase

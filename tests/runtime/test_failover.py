"""Which server a client leaves, and which it goes to."""

from nats.js.api import ClusterInfo, PeerInfo

from runtime.broker import without_quorum
from runtime.failover import AVOIDED, REST, RETRIES, SILENCE, Patience, Servers

A, B, C = ("10.0.0.1", 4222), ("10.0.0.2", 4222), ("10.0.0.3", 4222)


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_patience_ends_with_the_silence_and_not_with_a_number_of_requests() -> None:
    clock = Clock()
    patience = Patience(clock)

    assert not any(patience.timed_out("api", 0.5) for _ in range(100))
    clock.now += SILENCE
    assert patience.timed_out("api", 0.5)


def test_an_answer_of_one_kind_says_nothing_of_another() -> None:
    clock = Clock()
    patience = Patience(clock)
    patience.timed_out("publish", 1.0)
    patience.timed_out("api", 1.0)
    clock.now += SILENCE
    patience.answered("api")

    assert patience.timed_out("publish", 1.0)
    assert not patience.timed_out("api", 1.0)


def test_every_address_has_its_turn_and_one_that_was_left_comes_last() -> None:
    clock = Clock()
    servers = Servers(clock)
    tried = []
    for _ in range(3):
        clock.now += 1
        tried.append(servers.choose([A, B, C]))
    assert sorted(tried) == [A, B, C]

    servers.leave("id of A", A)
    assert A not in {servers.choose([A, B, C]) for _ in range(5)}
    assert servers.choose([A]) == A
    clock.now += AVOIDED
    assert A in {servers.choose([A, B, C]) for _ in range(3)}


def test_a_balancer_that_leads_back_is_asked_again_a_few_times_and_then_no_more() -> None:
    clock = Clock()
    servers = Servers(clock)
    servers.leave("silent", A)

    assert not servers.must_leave_again("another")
    servers.leave("silent", A)
    outcomes = [servers.must_leave_again("silent") for _ in range(RETRIES + 2)]
    assert outcomes == [True] * RETRIES + [False] * 2


def test_departures_are_far_between() -> None:
    clock = Clock()
    servers = Servers(clock)
    assert servers.may_leave()
    servers.leave("one", A)
    assert not servers.may_leave()
    clock.now += REST
    assert servers.may_leave()


def seen(*seconds: float, leader: str | None = "n1") -> ClusterInfo:
    return ClusterInfo(leader=leader, replicas=[PeerInfo(active=int(each * 1e9)) for each in seconds])


def test_a_leader_that_has_not_heard_of_a_majority_leads_nothing() -> None:
    assert without_quorum(None) is None
    assert without_quorum(ClusterInfo(leader="n1")) is None
    assert without_quorum(seen(0.3, 60.0)) is None
    assert without_quorum(seen(5.0, 6.0)) == 5.0
    assert without_quorum(seen(0.1, 0.2, 90.0, 90.0)) is None
    assert without_quorum(seen(0.1, 90.0, 90.0, 91.0)) == 90.0
    assert without_quorum(seen(0.1, 0.1, 0.1, leader=None)) == 0.0

"""The gateway's share in what all gateways know together.

Everything converges: what cannot be published is published later, what was missed is read again. NATS may be away for
any time, and so may this process.
"""

from collections.abc import Callable, Mapping
from typing import Final

from contracts import streams
from gateway.cluster import records
from gateway.cluster.follower import Follower
from gateway.cluster.publisher import Publisher
from gateway.cluster.sweeper import Sweeper
from gateway.cluster.watch import Watch, Watcher
from runtime import broker
from runtime.tasks import together

LEASE: Final = 10.0  # seconds without a word until a gateway counts as gone


class Cluster:
    """All gateways, as seen from this one."""

    def __init__(
        self,
        url: str,
        node: str,
        *,
        connections: Callable[[], Mapping[str, int]],
        lease: float = LEASE,
        on_failure: Callable[[], None] = lambda: None,
    ) -> None:
        """Prepare; nothing happens before `run`.

        Args:
            url: of NATS.
            node: this process's name; no other process ever has the same.
            connections: returns app → connections of this process.
            lease: seconds without a word until a node counts as gone.
            on_failure: called when the lease could not be stored.
        """
        self.node = node
        self._url = url
        self._connections = connections
        self._publisher = Publisher(node, lease, connections, on_failure)
        self._follower = Follower(node, lease, stands=self._publisher.stands, in_touch=lambda: self._publisher.in_touch)
        self._sweeper = Sweeper(node, lease, self._follower.nodes.living)

    @property
    def healthy(self) -> bool:
        """Whether the others have heard of this process a moment ago, and it knows who they are."""
        return self._publisher.in_touch and self._follower.informed

    @property
    def living(self) -> frozenset[str]:
        """The nodes that live, this one among them."""
        return frozenset(self._follower.nodes.living)

    def connections(self, app_id: str) -> int:
        """Return how many connections an app has: ours, and what the other gateways last told of theirs."""
        return self._connections().get(app_id, 0) + self._follower.nodes.connections(app_id)

    def enter(self, app_id: str, topic: str, user_id: str, info: str | None = None) -> int:
        """Let everybody know that a user is on a topic here, or with other information; return the record's version."""
        return self._publisher.put(
            records.member(app_id, topic, self.node, user_id), records.member_body(user_id, info)
        )

    def leave(self, app_id: str, topic: str, user_id: str) -> None:
        """Let everybody know that a user is not on a topic here any more."""
        self._publisher.remove(records.member(app_id, topic, self.node, user_id))

    def tell_count(self, app_id: str, topic: str, number: int) -> None:
        """Let everybody know how many listen to a topic here."""
        subject = records.count(app_id, topic, self.node)
        if number:
            self._publisher.put(subject, records.count_body(number))
        else:
            self._publisher.remove(subject)

    def watch(self, app_id: str, topic: str, watcher: Watcher) -> Watch:
        """Begin to watch a topic; the watcher is told when its roster is complete, unless it is so already."""
        return self._follower.watch(app_id, topic, watcher)

    def unwatch(self, watch: Watch, watcher: Watcher) -> None:
        """Stop watching a topic."""
        self._follower.unwatch(watch, watcher)

    def version(self, watch: Watch, user_id: str) -> int:
        """Return the version of our own record of a user that stands on a topic, 0 when there is none."""
        return watch.roster.version(self.node, records.member_token(user_id))

    def has_told_count(self, watch: Watch) -> bool:
        """Whether our own count of a topic stands, as far as we have heard."""
        return watch.roster.version(self.node, "") > 0

    async def run(self) -> None:
        """Take part until cancelled; then let the others know at once."""
        nats = await broker.connect(self._url, "gateway cluster", on_return=self._on_return)
        try:
            await together(
                self._publisher.renew(nats),
                self._publisher.publish(nats),
                self._follower.look(nats),
                self._follower.follow(nats),
                self._sweeper.run(nats),
                broker.tend(nats, streams.STATE),
            )
        finally:
            await self._publisher.retire(nats)
            await broker.close(nats)

    def _on_return(self) -> None:
        self._follower.on_return()
        self._publisher.on_return()

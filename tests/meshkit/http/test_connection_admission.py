"""Which connection yields when there is no room for another."""

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from meshkit.http.connection_admission import Connections
from meshkit.http.limits import LOOPBACK, HttpLimits


@dataclass(eq=False)
class Ended:
    """A connection that notes its end."""

    is_ended: bool = False

    def abort(self) -> None:
        """End."""
        self.is_ended = True


def test_the_one_that_has_waited_longest_yields() -> None:
    """One that is being answered stays, and one that was answered a moment ago has not waited long."""
    connections = Connections[Ended](HttpLimits(connections=3))
    busy, first, second, third, fourth = (Ended() for _ in range(5))
    for each in (busy, first, second):
        assert connections.admit(each, LOOPBACK)
    connections.answers(busy)
    connections.answers(first)
    connections.waits(first)

    assert connections.admit(third, LOOPBACK)
    assert [False, False, True] == [each.is_ended for each in (busy, first, second)]
    assert connections.admit(fourth, LOOPBACK)
    assert [False, True, False] == [each.is_ended for each in (busy, first, third)]


def test_none_is_admitted_after_the_end() -> None:
    """A connection that is told of only after the server stopped to listen would be left open for good."""
    connections = Connections[Ended](HttpLimits())
    first, second = Ended(), Ended()
    assert connections.admit(first, LOOPBACK)
    connections.close()

    assert not connections.admit(second, LOOPBACK)
    assert [first] == list(connections.open)


def test_a_peer_takes_no_room_of_another() -> None:
    """A stranger at its limit ends connections of its own; at the limit of all, the peer with most of them yields."""
    connections = Connections[Ended](HttpLimits(connections=4, connections_of_others=2))
    ours = Ended()
    connections.admit(ours, LOOPBACK)
    stranger = [Ended() for _ in range(3)]
    for each in stranger:
        assert connections.admit(each, "192.0.2.7")
    assert [True, False, False] == [each.is_ended for each in stranger]

    assert connections.admit(Ended(), "192.0.2.8")
    assert connections.admit(Ended(), "192.0.2.9")
    assert [True, True, False] == [each.is_ended for each in stranger]
    assert not ours.is_ended


def test_nobody_is_admitted_while_all_are_answered() -> None:
    """Connections whose requests are being answered never yield."""
    connections = Connections[Ended](HttpLimits(connections=2))
    busy = [Ended(), Ended()]
    for each in busy:
        connections.admit(each, LOOPBACK)
        connections.answers(each)

    assert not connections.admit(Ended(), LOOPBACK)
    connections.forget(busy[0])
    assert connections.admit(Ended(), LOOPBACK)
    assert [False, False] == [each.is_ended for each in busy]


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["open", "answers", "waits", "forget"]),
            st.integers(0, 9),
            st.sampled_from([LOOPBACK, "192.0.2.7", "192.0.2.8"]),
        ),
        max_size=40,
    )
)
def test_no_more_are_open_than_may_be(steps: list[tuple[str, int, str]]) -> None:
    """Whatever happens, neither a peer nor all together have too many, and only waiting ones are ended."""
    limits = HttpLimits(connections=4, connections_of_others=2)
    connections = Connections[Ended](limits)
    made: list[Ended] = []
    busy: set[Ended] = set()
    for what, number, peer in steps:
        if what == "open":
            made.append(Ended())
            connections.admit(made[-1], peer)
        elif made:
            one = made[number % len(made)]
            getattr(connections, what)(one)
            busy = busy | {one} if what == "answers" and one in connections.open else busy - {one}
        peers = list(connections.open.values())
        assert len(peers) <= limits.connections
        assert all(peers.count(each) <= limits.of_peer(each) for each in peers)
        assert not any(each.is_ended for each in busy)
        assert all(not each.is_ended for each in connections.open)

"""The pacemaker alone."""

import dataclasses

from hypothesis import given
from hypothesis import strategies as st

from chainlink.contract.aggregator import TransmissionDetails
from services.oracle.ocr.protocol.actions import Action, Broadcast, SavePacemaker, SetTimer, StartEpoch, StopTimer
from services.oracle.ocr.protocol.messages import NewEpoch
from services.oracle.ocr.protocol.pacemaker import PROGRESS, RESEND, Pacemaker
from services.oracle.ocr.state import PacemakerState
from tests.oracle.ocr.committee import S, make_committee

SHARED = make_committee().shared[0]


def wishes(actions: list[Action]) -> list[int]:
    """Return the epochs that were asked for."""
    return [a.message.epoch for a in actions if isinstance(a, Broadcast) and isinstance(a.message, NewEpoch)]


def started(actions: list[Action]) -> list[int]:
    """Return the epochs that were started."""
    return [action.epoch for action in actions if isinstance(action, StartEpoch)]


def contract_at(epoch: int, digest: bytes = SHARED.config_digest) -> TransmissionDetails:
    """Return a contract's state in an epoch."""
    return TransmissionDetails(digest, epoch, 1, 5, 100)


def test_fresh_start() -> None:
    """Without any past the first epoch starts with its leader, and the epoch after the contract's is asked for."""
    actions = Pacemaker(SHARED).start(None, contract_at(0))

    assert [
        StartEpoch(1, SHARED.leader(1)),
        SetTimer(PROGRESS, 5 * S),
        Broadcast(NewEpoch(1)),
        SetTimer(RESEND, 1 * S),
    ] == actions


def test_start_after_loss_of_state() -> None:
    """The contract's epoch is behind; another configuration's epoch means nothing."""
    assert [8] == wishes(Pacemaker(SHARED).start(None, contract_at(7)))
    assert [0] == wishes(Pacemaker(SHARED).start(None, contract_at(7, bytes(16))))
    assert [0] == wishes(Pacemaker(SHARED).start(None, None))


def test_restored_state() -> None:
    """A valid state of an earlier run is taken over, an impossible one is not."""
    state = PacemakerState(5, 6, (5, 6, 5, 4))
    assert [5] == started(Pacemaker(SHARED).start(state, contract_at(2)))
    assert [6] == wishes(Pacemaker(SHARED).start(state, contract_at(2)))
    assert [9] == wishes(Pacemaker(SHARED).start(state, contract_at(8)))
    for impossible in (
        dataclasses.replace(state, epoch=0),
        dataclasses.replace(state, highest_sent=4),
        dataclasses.replace(state, highest_received=(5, 6, 5)),
    ):
        assert [1] == started(Pacemaker(SHARED).start(impossible, None))


def test_amplify_and_switch() -> None:
    """One wish is ignored, f+1 are joined, 2f+1 are followed."""
    pacemaker = Pacemaker(SHARED)
    pacemaker.start(None, contract_at(0))

    assert [] == wishes(pacemaker.on_new_epoch(1, 9))
    second = pacemaker.on_new_epoch(2, 5)
    assert [5] == wishes(second)
    assert [] == started(second)
    third = pacemaker.on_new_epoch(0, 5)
    assert [5] == started(third)
    assert SetTimer(PROGRESS, 5 * S) in third
    assert SavePacemaker(PacemakerState(5, 5, (5, 9, 5, 0))) == third[-1]
    assert 5 == pacemaker.epoch


def test_old_wishes_are_nothing_new() -> None:
    """A wish that is not above the sender's last one changes nothing."""
    pacemaker = Pacemaker(SHARED)
    pacemaker.start(None, None)
    pacemaker.on_new_epoch(1, 3)

    assert [] == pacemaker.on_new_epoch(1, 3)
    assert [] == pacemaker.on_new_epoch(1, 2)


def test_giving_a_leader_up() -> None:
    """Without progress the next epoch is asked for, again and again, and never less than before."""
    pacemaker = Pacemaker(SHARED)
    pacemaker.start(None, contract_at(0))
    actions = pacemaker.on_change_leader()

    assert StopTimer(PROGRESS) == actions[0]
    assert [2] == wishes(actions)
    assert [2] == wishes(pacemaker.on_resend())
    assert [2] == wishes(pacemaker.on_change_leader())
    assert [SetTimer(PROGRESS, 5 * S)] == pacemaker.on_progress()


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 12)), max_size=60))
def test_one_liar_moves_nobody(received: list[tuple[int, int]]) -> None:
    """The epoch never goes back, and never above what 2f+1 oracles asked for; the own wish never above f+1's."""
    pacemaker = Pacemaker(SHARED)
    pacemaker.start(None, contract_at(0))
    highest = [0, 0, 0, 0]
    for sender, epoch in received:
        before = pacemaker.epoch
        actions = pacemaker.on_new_epoch(sender, epoch)
        highest[sender] = max(highest[sender], epoch)
        ranked = sorted(highest, reverse=True)

        assert before <= pacemaker.epoch
        assert pacemaker.epoch <= max(1, ranked[2])
        assert all(wish <= ranked[1] for wish in wishes(actions))

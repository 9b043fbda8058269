"""Whole committees on a simulated clock."""

import dataclasses

import pytest

from chainlink.contract.aggregator import RoundRequested
from services.oracle.ocr.protocol.actions import Observe
from services.oracle.ocr.protocol.events import Received, Started
from services.oracle.ocr.protocol.messages import AttributedSignedObservation, Message, NewEpoch, ObserveReq, ReportReq
from services.oracle.ocr.protocol.oracle import FUTURE_MESSAGES_KEPT, Oracle
from services.oracle.ocr.schedule import stage, transmission_order
from services.oracle.ocr.state import TraceKind
from tests.oracle.ocr.committee import S, make_committee
from tests.oracle.ocr.simulation import Simulation

COMMITTEE = make_committee()


def accepted_rounds(simulation: Simulation) -> list[tuple[int, int]]:
    """Return the (epoch, round) of every accepted transmission."""
    return [(epoch, round_number) for epoch, round_number, *_ in simulation.contract.accepted]


def assert_each_signed_once(simulation: Simulation) -> None:
    """Check that no oracle ever signed two different reports for one round."""
    assert dict.fromkeys(simulation.signed, 1) == {key: len(reports) for key, reports in simulation.signed.items()}


def test_rounds_progress() -> None:
    """With all oracles alive rounds follow each other, and the scheduled oracle alone pays for each."""
    simulation = Simulation(COMMITTEE)
    simulation.start_all()
    simulation.run(20)
    shared = COMMITTEE.shared[0]
    transmitted = simulation.contract.accepted

    assert len(transmitted) >= 6
    assert [] == simulation.contract.reverted
    assert_each_signed_once(simulation)
    for epoch, round_number, sender, observers, signers in transmitted:
        order = transmission_order(shared.tx_order_key, shared.config_digest, epoch, round_number, 4)
        assert 0 == stage(order[sender], shared.public.offchain.s)
        assert 4 == len(observers)
        assert 2 == len(signers)


@pytest.mark.parametrize("dead", range(4))
def test_one_dead_oracle(dead: int) -> None:
    """Without any one oracle, the first leader included, rounds go on."""
    simulation = Simulation(COMMITTEE, seed=dead)
    simulation.start_all(but=dead)
    simulation.run(30)

    assert len(simulation.contract.accepted) >= 5
    assert all(sender != dead for _, _, sender, _, _ in simulation.contract.accepted)
    assert_each_signed_once(simulation)


def test_two_dead_oracles_stop_the_feed() -> None:
    """With more than f oracles gone nothing is reported."""
    simulation = Simulation(COMMITTEE)
    for index in (0, 1):
        simulation.start(index)
    simulation.run(20)

    assert [] == simulation.contract.accepted


def test_dead_leader_loses_the_epoch() -> None:
    """When the leader dies in its epoch, the others move to the next one and report there."""
    simulation = Simulation(COMMITTEE)
    simulation.start_all()
    assert simulation.run_until(lambda: bool(simulation.contract.accepted), 20)
    epoch = simulation.alive[0].epoch
    leader = COMMITTEE.shared[0].leader(epoch)
    simulation.crash(leader)

    assert simulation.run_until(lambda: simulation.contract.details.epoch > epoch, 60)


def test_epoch_ends_after_r_max_rounds() -> None:
    """A healthy leader's term ends after rMax rounds."""
    simulation = Simulation(COMMITTEE)
    simulation.start_all()
    simulation.run(25)
    rounds = accepted_rounds(simulation)

    assert 4 == max(round_number for _, round_number in rounds)
    assert len({epoch for epoch, _ in rounds}) >= 2


@pytest.mark.parametrize("seed", range(3))
def test_lossy_links(seed: int) -> None:
    """With a tenth of all messages lost rounds still progress, and nobody signs a round twice."""
    simulation = Simulation(COMMITTEE, seed=seed, loss=0.1)
    simulation.start_all()
    simulation.run(30)

    assert len(simulation.contract.accepted) >= 4
    assert_each_signed_once(simulation)


def test_restarts_never_sign_twice() -> None:
    """Oracles that restart again and again with their disk join in, and sign no round twice."""
    simulation = Simulation(COMMITTEE, seed=5)
    simulation.start_all()
    for turn in range(12):
        simulation.run(1.7)
        simulation.crash(turn % 4)
        simulation.run(0.3)
        simulation.start(turn % 4)
    before = len(simulation.contract.accepted)
    simulation.run(20)

    assert len(simulation.contract.accepted) - before >= 4
    assert_each_signed_once(simulation)


def test_restart_of_all_signs_no_round_again() -> None:
    """When all restart before a report got through, the leader begins the epoch anew: the round stays signed once."""
    simulation = Simulation(COMMITTEE, seed=2)
    simulation.start_all()
    assert simulation.run_until(lambda: len(simulation.signed) == 3, 20)
    for index in range(4):
        simulation.crash(index)
    simulation.start_all()
    simulation.run(20)
    declined = [trace for _, trace in simulation.traces if trace.detail == "signed before a restart"]

    assert declined
    assert len(simulation.contract.accepted) >= 4
    assert_each_signed_once(simulation)


def test_all_state_lost() -> None:
    """When all disks are lost, the contract's epoch keeps the committee from going back."""
    simulation = Simulation(COMMITTEE, seed=6)
    simulation.start_all()
    simulation.run(25)
    last = accepted_rounds(simulation)[-1]
    for index in range(4):
        simulation.crash(index)
        simulation.disks[index] = type(simulation.disks[index])()
    simulation.start_all()
    simulation.run(20)

    assert accepted_rounds(simulation)[-1] > last
    assert "stale report" not in simulation.contract.reverted


def test_equivocating_leader() -> None:
    """Honest oracles sign one report a round, even if the leader asks each of them, and again, for another one."""
    simulation = Simulation(COMMITTEE, seed=7)

    def tamper(sender: int, to: int, message: Message) -> list[Message]:
        if isinstance(message, ReportReq) and len(message.observations) == 4:
            kept: tuple[AttributedSignedObservation, ...] = tuple(o for o in message.observations if o.observer != to)
            return [dataclasses.replace(message, observations=kept)]
        return [message]

    simulation.tamper = tamper
    simulation.start_all()
    simulation.run(20)

    assert simulation.signed
    assert_each_signed_once(simulation)
    assert [] == simulation.contract.reverted


def test_of_coming_epochs_the_newest_messages_are_kept() -> None:
    """A sender can have ten of them wait; they count once the epoch begins, and older ones have given way."""
    committee = make_committee(r_max=100)
    config = committee.shared[0]
    coming = next(epoch for epoch in range(2, 100) if config.leader(epoch) != 0)
    oracle = Oracle(config, committee.keys[0])
    oracle.handle(Started(None, None, (), None), 0)
    for number in range(1, FUTURE_MESSAGES_KEPT + 4):
        assert [] == oracle.handle(Received(config.leader(coming), ObserveReq(coming, number)), 0)
    actions = [action for peer in (1, 2, 3) for action in oracle.handle(Received(peer, NewEpoch(coming)), 0)]

    asked = [action.round for action in actions if isinstance(action, Observe)]
    assert list(range(4, FUTURE_MESSAGES_KEPT + 4)) == asked


def test_a_contract_that_was_never_read_is_no_reason() -> None:
    """Oracles that never could read the contract sign nothing, in rounds that go on; once they can, reports come."""
    simulation = Simulation(COMMITTEE)
    simulation.readable = False
    simulation.start_all()
    simulation.run(10)
    kinds = [trace.kind for _, trace in simulation.traces]

    assert kinds.count(TraceKind.REPORT_DECLINED) > len(COMMITTEE.keys)
    assert not {TraceKind.REPORT_SENT, TraceKind.FINAL, TraceKind.TRANSMISSION_SCHEDULED} & set(kinds)
    assert [] == simulation.contract.accepted
    simulation.readable = True
    assert simulation.run_until(lambda: len(simulation.contract.accepted) == 1, 20)


def test_quiet_market_reports_on_request_and_heartbeat() -> None:
    """Without deviation nothing is reported until the heartbeat, or until somebody asks."""
    committee = make_committee(alpha_ppb=1_000_000_000, delta_c_ns=3600 * S)
    simulation = Simulation(committee)
    simulation.start_all()
    simulation.run(12)
    assert 1 == len(simulation.contract.accepted)

    details = simulation.contract.details
    simulation.contract.requested = RoundRequested(details.config_digest, details.epoch, details.round)
    assert simulation.run_until(lambda: len(simulation.contract.accepted) == 2, 20)
    simulation.run(10)
    assert 2 == len(simulation.contract.accepted)

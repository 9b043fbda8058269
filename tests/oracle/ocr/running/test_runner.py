"""Runners with real time: over real sockets, and with parts of the outside world out of order."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from meshkit.clock import SystemClock
from services.oracle.ocr.running.interfaces import Network, Ports
from services.oracle.ocr.running.limits import LocalLimits, peer_limits
from services.oracle.ocr.running.runner import Runner
from services.oracle.ocr.state import SignedRound, Trace, TraceKind
from tests.oracle.ocr.committee import MS, Committee, make_committee
from tests.oracle.ocr.fake_contract import FakeContract
from tests.oracle.ocr.fakes import LoopbackNetwork, World
from tests.oracle.p2p.mesh import BOOTSTRAP_KEY, make_host, running
from tests.waiting import until

COMMITTEE = make_committee(
    delta_progress_ns=1500 * MS,
    delta_resend_ns=300 * MS,
    delta_round_ns=600 * MS,
    delta_grace_ns=150 * MS,
    delta_stage_ns=400 * MS,
)
LIMITS = LocalLimits(blockchain_s=0.2, database_s=0.2, observation_s=0.1, observation_grace_s=0.05, transmit_s=0.2)


class Committeeman:
    """Hold a running oracle with its world and its traces."""

    def __init__(self, committee: Committee, index: int, contract: FakeContract, network: Network) -> None:
        self.world = World(index, contract)
        self.traces: list[Trace] = []
        self.runner = Runner(
            committee.shared[index],
            committee.keys[index],
            network,
            Ports(self.world, self.world, self.world, self.world),
            clock=SystemClock(),
            limits=LIMITS,
            on_trace=self.traces.append,
            feed="BTC / USD",
        )
        self.task = asyncio.create_task(self.runner.run())

    async def stop(self) -> None:
        """Cancel the runner and wait for its end."""
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)


@asynccontextmanager
async def committee_in_memory(contract: FakeContract) -> AsyncIterator[list[Committeeman]]:
    """Run a committee without sockets."""
    inboxes: list[asyncio.Queue[tuple[int, bytes]]] = [asyncio.Queue() for _ in range(4)]
    members = [Committeeman(COMMITTEE, i, contract, LoopbackNetwork(i, inboxes)) for i in range(4)]
    try:
        yield members
    finally:
        await asyncio.gather(*(member.stop() for member in members))


async def test_rounds_over_real_sockets() -> None:
    """Four runners that meet through a bootstrapper report with real signatures, and go on when one is stopped."""
    contract = FakeContract(COMMITTEE.public)
    bootstrap = make_host(BOOTSTRAP_KEY)
    hosts = [make_host(key) for key in COMMITTEE.peers]
    peer_ids = [key.peer_id for key in COMMITTEE.peers]
    limits = peer_limits(COMMITTEE.public.offchain)
    async with running(bootstrap, *hosts):
        located = {bootstrap.peer_id: bootstrap.addresses}
        bootstrap.register_group(COMMITTEE.public.config_digest, peer_ids, located, limits)
        members = []
        for index, host in enumerate(hosts):
            endpoint = host.register_group(COMMITTEE.public.config_digest, peer_ids, located, limits)
            assert endpoint is not None
            members.append(Committeeman(COMMITTEE, index, contract, endpoint))
        await until(lambda: len(contract.accepted) >= 3)
        await members[2].stop()
        before = len(contract.accepted)
        await until(lambda: len(contract.accepted) >= before + 4)
        await asyncio.gather(*(member.stop() for member in members))

    assert all(len(signers) == 2 for *_, signers in contract.accepted)
    # What the stopped oracle had observed before may still be on its way into a report or two.
    assert all(2 not in observers for *_, observers, _ in contract.accepted[-2:])
    assert [0] * 4 == [member.runner.counters["internal_errors"] for member in members]
    assert [0] * 4 == [member.runner.counters["messages_malformed"] for member in members]
    assert [] == [stuck for member in members for stuck in asyncio.all_tasks() if stuck is member.task]
    assert [0] * 4 == [host.counters["incoming_over_rate"] for host in hosts]
    told = {trace.kind for trace in members[0].traces}
    assert {TraceKind.ROUND_STARTED, TraceKind.OBSERVATION_SENT, TraceKind.REPORT_SENT, TraceKind.FINAL} <= told


async def test_no_task_outlives_the_runner() -> None:
    """When `run` returns after its cancellation, none of its tasks is left, even with a call that never returns."""
    contract = FakeContract(COMMITTEE.public)
    before = asyncio.all_tasks()
    async with committee_in_memory(contract) as members:
        for member in members:
            member.world.stuck = {"observe", "save_pacemaker"}
        await until(lambda: any(member.runner.counters["observe_failed"] for member in members))

    assert before == asyncio.all_tasks()


async def test_blind_and_clumsy_oracle_takes_nothing_down() -> None:
    """With one oracle whose every call fails, the others report, and it goes on as a follower."""
    contract = FakeContract(COMMITTEE.public)
    async with committee_in_memory(contract) as members:
        broken = members[3].world
        broken.broken = {"observe", "transmit", "latest_transmission_details", "save_pacemaker", "save_pending"}
        broken.stuck = {"latest_round_requested", "delete_pending"}
        await until(lambda: len(contract.accepted) >= 4)

        assert not members[3].task.done()
        assert members[3].runner.counters["observe_failed"]
        assert members[3].runner.counters["latest_round_requested_failed"]
        assert 0 == members[3].runner.counters["internal_errors"]
        assert all(3 not in observers for *_, observers, _ in contract.accepted)


async def test_no_signature_without_a_saved_round() -> None:
    """An oracle that cannot save what it signs does not sign."""
    contract = FakeContract(COMMITTEE.public)
    async with committee_in_memory(contract) as members:
        members[0].world.broken = {"save_signed_round"}
        await until(lambda: len(contract.accepted) >= 3)

        assert TraceKind.REPORT_SENT not in {trace.kind for trace in members[0].traces}
        assert all(0 not in signers for *_, signers in contract.accepted)


async def test_start_waits_for_the_signed_round() -> None:
    """An oracle takes part only after it could read what it signed before."""
    contract = FakeContract(COMMITTEE.public)
    inboxes: list[asyncio.Queue[tuple[int, bytes]]] = [asyncio.Queue() for _ in range(4)]
    member = Committeeman(COMMITTEE, 0, contract, LoopbackNetwork(0, inboxes))
    member.world.broken = {"load_signed_round"}
    member.world.signed = SignedRound(3, 1)
    await until(lambda: member.runner.counters["load_signed_round_failed"] >= 2)
    assert 0 == member.runner.epoch
    member.world.broken = set()
    await until(lambda: member.runner.epoch == 1)
    await member.stop()


async def test_noise_is_counted() -> None:
    """Bytes that are no message are counted, and nothing else happens."""
    contract = FakeContract(COMMITTEE.public)
    inboxes: list[asyncio.Queue[tuple[int, bytes]]] = [asyncio.Queue() for _ in range(4)]
    member = Committeeman(COMMITTEE, 0, contract, LoopbackNetwork(0, inboxes))
    for noise in (b"", b"\xff" * 40, bytes(20_000)):
        inboxes[0].put_nowait((1, noise))
    await until(lambda: member.runner.counters["messages_malformed"] == 3)
    await member.stop()

    assert 0 == member.runner.counters["internal_errors"]

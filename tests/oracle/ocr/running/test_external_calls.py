"""The calls to the outside world, when they fail."""

from collections import Counter

import pytest
from structlog.testing import capture_logs

from chainlink.contract.aggregator import RoundRequested
from meshkit.log import get_logger
from services.oracle.ocr.protocol.events import ContractWasRead, ReadPurpose
from services.oracle.ocr.protocol.report_decision import Policy, Reason, reason_to_report
from services.oracle.ocr.running.external_calls import ExternalCalls
from services.oracle.ocr.running.interfaces import LastKnown, Ports
from services.oracle.ocr.running.limits import LocalLimits
from services.oracle.ocr.state import PendingTransmission
from tests.oracle.ocr.committee import make_committee
from tests.oracle.ocr.fake_contract import FakeContract
from tests.oracle.ocr.fakes import World

COMMITTEE = make_committee()
DIGEST = COMMITTEE.public.config_digest
HOUR_MS = 3_600_000


@pytest.fixture(name="world")
def _world() -> World:
    """Give a world whose contract had an answer of 1000 at second 1000, in epoch 3."""
    contract = FakeContract(COMMITTEE.public)
    contract.details = type(contract.details)(DIGEST, 3, 2, 1000, 1000)
    return World(0, contract)


def outside(world: World, counters: Counter[str] | None = None) -> ExternalCalls:
    """Return what calls that world."""
    return ExternalCalls(
        DIGEST,
        Ports(world, world, world, world),
        LocalLimits(),
        Counter() if counters is None else counters,
        get_logger("tests"),
    )


def reason(read: ContractWasRead, median: int, now_ms: int = 1_000_000) -> Reason | None:
    """Return why a median would be reported after a reading; the heartbeat is an hour, alpha a percent."""
    policy = Policy(DIGEST, alpha_ppb=10_000_000, delta_c_ns=HOUR_MS * 10**6)
    return reason_to_report(policy, median, read.details, read.requested, now_ms)


@pytest.mark.parametrize(
    "broken", [{"latest_round_requested"}, {"latest_round_requested", "latest_transmission_details"}]
)
async def test_the_last_known_state_decides(world: World, broken: set[str]) -> None:
    """While requests, or nothing at all, can be read, deviation and heartbeat of what is known are the only reasons."""
    calls = outside(world)
    await calls.read(ReadPurpose.SHOULD_REPORT, 3, 3)
    world.broken = broken
    read = await calls.read(ReadPurpose.SHOULD_REPORT, 3, 4)

    assert reason(read, 1000) is None
    assert Reason.DEVIATION is reason(read, 1010)
    assert Reason.HEARTBEAT is reason(read, 1000, 1_000_001 + HOUR_MS)


async def test_a_known_request_stays_one(world: World) -> None:
    """A request that was seen is fulfilled also when requests cannot be read any more."""
    calls = outside(world)
    world.contract.requested = RoundRequested(DIGEST, 3, 2)
    await calls.read(ReadPurpose.SHOULD_REPORT, 3, 3)
    world.broken = {"latest_round_requested"}

    assert Reason.REQUESTED is reason(await calls.read(ReadPurpose.SHOULD_REPORT, 3, 4), 1000)


async def test_right_after_a_start(world: World) -> None:
    """An oracle that could read nothing since its start reports nothing; requests alone it can do without."""
    world.broken = {"latest_round_requested"}
    assert reason(await outside(world).read(ReadPurpose.SHOULD_REPORT, 3, 3), 1000) is None
    assert Reason.DEVIATION is reason(await outside(world).read(ReadPurpose.SHOULD_REPORT, 3, 3), 1010)
    world.broken = {"latest_transmission_details"}
    assert reason(await outside(world).read(ReadPurpose.SHOULD_REPORT, 3, 3), 5000) is None


async def test_what_an_earlier_run_read(world: World) -> None:
    """After a restart that can read nothing, the earlier run's reading decides: by deviation and heartbeat, no more."""
    world.known = LastKnown(world.contract.details, RoundRequested(DIGEST, 3, 1))
    world.broken = {"latest_round_requested", "latest_transmission_details"}
    calls = outside(world)
    started = await calls.restore()
    read = await calls.read(ReadPurpose.SHOULD_REPORT, 3, 3)

    assert world.contract.details == started.contract
    assert reason(read, 1000) is None
    assert Reason.DEVIATION is reason(read, 1010)
    assert Reason.HEARTBEAT is reason(read, 1000, 1_000_001 + HOUR_MS)


async def test_what_an_earlier_run_read_cannot_be_loaded(world: World) -> None:
    """Without the store the oracle knows what it reads itself, and goes on."""
    world.broken = {"last_known"}
    started = await outside(world).restore()

    assert world.contract.details == started.contract


async def test_nothing_is_reported_by_a_clock_that_is_off(world: World) -> None:
    """While our own clock is known to be off, neither heartbeat nor deviation is a reason; then both are again."""
    calls = outside(world)
    overdue_ms = 1_000_001 + HOUR_MS
    world.clock_is_off = True
    read = await calls.read(ReadPurpose.SHOULD_REPORT, 3, 3)
    assert [None, None] == [reason(read, 1000, overdue_ms), reason(read, 2000)]
    world.clock_is_off = False
    assert Reason.HEARTBEAT is reason(await calls.read(ReadPurpose.SHOULD_REPORT, 3, 4), 1000, overdue_ms)


async def test_nothing_is_reported_twice_unread(world: World) -> None:
    """While nothing can be read, what more than f oracles signed counts as the contract's, until that is read."""
    calls = outside(world)
    await calls.restore()
    world.broken = {"latest_round_requested", "latest_transmission_details"}
    overdue_ms = 1_000_001 + HOUR_MS
    assert Reason.HEARTBEAT is reason(await calls.read(ReadPurpose.SHOULD_REPORT, 3, 3), 1000, overdue_ms)
    calls.signed(3, 3, 1005, overdue_ms)
    read = await calls.read(ReadPurpose.SHOULD_REPORT, 3, 4)

    assert reason(read, 1005, overdue_ms + 1000) is None
    assert Reason.DEVIATION is reason(read, 1020, overdue_ms + 1000)
    assert Reason.HEARTBEAT is reason(read, 1005, overdue_ms + 1001 + HOUR_MS)
    world.broken = set()
    read = await calls.read(ReadPurpose.SHOULD_REPORT, 3, 5)
    assert Reason.HEARTBEAT is reason(read, 1000, overdue_ms)


async def test_what_was_signed_before_a_restart_counts(world: World) -> None:
    """After a restart that can read nothing either, what more than f oracles signed before is not reported again."""
    world.known = LastKnown(world.contract.details)
    world.broken = {"latest_round_requested", "latest_transmission_details"}
    earlier = outside(world)
    await earlier.restore()
    earlier.signed(3, 3, 1500, 2_000_000)
    calls = outside(world)
    await calls.restore()
    read = await calls.read(ReadPurpose.SHOULD_REPORT, 3, 4)

    assert reason(read, 1500, 2_001_000) is None
    assert Reason.DEVIATION is reason(read, 1520, 2_001_000)
    world.broken = set()
    assert Reason.DEVIATION is reason(await calls.read(ReadPurpose.SHOULD_REPORT, 3, 5), 1500, 2_001_000)


async def test_what_was_signed_under_another_configuration_counts_no_more(world: World) -> None:
    """Its epochs cannot be compared with those of now."""
    signed = type(world.contract.details)(bytes(16), 9, 9, 1500, 2000)
    world.known = LastKnown(world.contract.details, None, signed)
    world.broken = {"latest_round_requested", "latest_transmission_details"}
    calls = outside(world)
    await calls.restore()

    assert Reason.DEVIATION is reason(await calls.read(ReadPurpose.SHOULD_REPORT, 3, 4), 1500, 2_001_000)


async def test_what_an_earlier_run_has_scheduled_counts(world: World) -> None:
    """After a restart that can read nothing, the newest report that waits for its turn counts as the contract's."""
    world.known = LastKnown(world.contract.details, None)
    for round_number, answer in ((4, 1500), (3, 1005)):
        await world.save_pending(DIGEST, _pending(3, round_number, answer, 2_000_000))
    world.broken = {"latest_round_requested", "latest_transmission_details"}
    calls = outside(world)
    await calls.restore()
    read = await calls.read(ReadPurpose.SHOULD_REPORT, 3, 5)

    assert reason(read, 1500, 2_001_000) is None
    assert Reason.DEVIATION is reason(read, 1005, 2_001_000)
    world.broken = set()
    assert Reason.DEVIATION is reason(await calls.read(ReadPurpose.SHOULD_REPORT, 3, 6), 1500, 2_001_000)


def _pending(epoch: int, round_number: int, answer: int, due_ms: int) -> PendingTransmission:
    return PendingTransmission(epoch, round_number, due_ms, answer, b"", (), (), b"")


@pytest.mark.parametrize("purpose", [ReadPurpose.SHOULD_SCHEDULE, ReadPurpose.SHOULD_TRANSMIT])
async def test_only_what_is_read_now_is_transmitted_on(world: World, purpose: ReadPurpose) -> None:
    """Whether to send a transaction is never decided on an old reading."""
    calls = outside(world)
    await calls.read(ReadPurpose.SHOULD_REPORT, 3, 3)
    world.broken = {"latest_transmission_details"}

    assert (await calls.read(purpose, 3, 4)).details is None


async def test_a_failure_is_told_once(world: World) -> None:
    """A call that fails again and again is counted each time and logged once, and once when it works again."""
    counters: Counter[str] = Counter()
    calls = outside(world, counters)
    with capture_logs() as events:
        for broken in ({"latest_round_requested"}, {"latest_round_requested"}, set(), set()):
            world.broken = broken
            await calls.read(ReadPurpose.SHOULD_REPORT, 3, 3)

    assert 2 == counters["latest_round_requested_failed"]
    told = [event["event"] for event in events if event["log_level"] != "debug"]
    assert ["outside_call_failed", "outside_call_works_again"] == told

"""A contract's configurations over time, each with its session."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest
from structlog.testing import capture_logs

from chainlink.errors import InvalidOcrConfig
from chainlink.ocr.contract_config import ContractConfig
from chainlink.rpc.errors import RpcUnavailable
from meshkit.clock import ManualClock
from services.oracle.chain.contract_config_tracker import ConfigTracker, Found
from services.oracle.errors import DatabaseUnavailable, JobNotStarted
from services.oracle.jobs.contract_config_watch import ContractConfigWatch, poll_pause_s
from services.oracle.jobs.job_status import JobStatus
from services.oracle.jobs.specification import OcrJob
from services.oracle.ocr.config import PublicConfig
from services.oracle.store.contracts import ContractConfigStore
from tests.oracle.ocr.committee import make_committee

FIRST = make_committee().contract_config
SECOND = replace(FIRST, config_count=FIRST.config_count + 1)
POLL_S, FIRST_POLL_S, RETRY_S = 60.0, 2.0, 5.0


class Stage:
    """Be the chain, the database and the sessions of one watch."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.status = JobStatus("BTC / USD")
        self.on_chain: ContractConfig | Exception | None = None
        self.stored: ContractConfig | Exception | None = None
        self.polls: list[bytes | None] = []
        self.began: list[ContractConfig] = []
        self.running = 0
        self.unwritable = False
        self.session: Callable[[], Coroutine[Any, Any, None]] = asyncio.get_running_loop().create_future  # type: ignore[assignment]
        timings = SimpleNamespace(config_poll_s=POLL_S, first_config_poll_s=FIRST_POLL_S)
        job = SimpleNamespace(contract=FIRST.contract, chain_id=1337, timings=timings)
        self.watch = ContractConfigWatch(
            cast(OcrJob, job),
            cast(ConfigTracker, self),
            cast(ContractConfigStore, self),
            self.clock,
            self.status,
            self._session,
        )

    async def poll(self, known: bytes | None, known_count: int = 0) -> Found | None:
        self.polls.append(known)
        if isinstance(self.on_chain, Exception):
            raise self.on_chain
        if self.on_chain is None or self.on_chain.digest() == known:
            return None
        return Found(self.on_chain, 7)

    async def load(self, contract: str, chain_id: int) -> ContractConfig | None:
        assert (FIRST.contract, 1337) == (contract, chain_id)
        if isinstance(self.stored, Exception):
            raise self.stored
        return self.stored

    async def save(self, chain_id: int, config: ContractConfig, block: int) -> None:
        assert (1337, 7) == (chain_id, block)
        if self.unwritable:
            raise DatabaseUnavailable("away")
        self.stored = config

    async def _session(self, config: ContractConfig) -> None:
        self.began.append(config)
        self.running += 1
        assert 1 == self.running, "the session before must have ended"
        try:
            await self.session()
        finally:
            self.running -= 1

    async def settle(self, seconds: float = 0.0) -> None:
        """Let so much time pass, and everything happen that follows from it."""
        self.clock.advance(seconds)
        for _ in range(20):
            await asyncio.sleep(0)


@pytest.fixture(name="stage")
async def _stage() -> Stage:
    """Give a stage on which nothing has happened."""
    return Stage()


async def test_each_configuration_has_its_session(stage: Stage) -> None:
    """A configuration that comes is kept and run; the next one ends it first; the watch ends with all it runs."""
    watching = asyncio.create_task(stage.watch.run())
    await stage.settle()
    assert [] == stage.began
    stage.on_chain = FIRST
    await stage.settle(FIRST_POLL_S)
    assert [FIRST] == stage.began
    assert FIRST == stage.stored
    stage.on_chain = SECOND
    await stage.settle(FIRST_POLL_S)
    assert [FIRST] == stage.began, "with a session the contract is asked seldom"
    await stage.settle(POLL_S)
    assert [FIRST, SECOND] == stage.began
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)

    assert 0 == stage.running
    assert [None, None, FIRST.digest()] == stage.polls


async def test_a_start_without_the_chain(stage: Stage) -> None:
    """With the last configuration of the database a session begins, whatever the chain says."""
    stage.stored, stage.on_chain = FIRST, RpcUnavailable("nobody answers")
    watching = asyncio.create_task(stage.watch.run())
    await stage.settle()

    assert [FIRST] == stage.began
    assert "configuration unknown: nobody answers" == stage.status.last_error
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)


async def test_a_start_without_the_database(stage: Stage) -> None:
    """Without the database the chain's configuration is waited for."""
    stage.stored = DatabaseUnavailable("away")
    watching = asyncio.create_task(stage.watch.run())
    await stage.settle()
    assert "last configuration unknown: away" == stage.status.last_error
    stage.stored, stage.on_chain = None, FIRST
    await stage.settle(FIRST_POLL_S)

    assert [FIRST] == stage.began
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)


@pytest.mark.parametrize("failure", [JobNotStarted("no peers"), ValueError("a defect")])
async def test_a_session_that_fails_is_begun_again(stage: Stage, failure: Exception) -> None:
    """After a failure, a defect too, the session begins again."""

    async def fail() -> None:
        raise failure

    stage.session, stage.on_chain = fail, FIRST
    watching = asyncio.create_task(stage.watch.run())
    await stage.settle()
    assert str(failure) in stage.status.last_error
    await stage.settle(RETRY_S)

    assert [FIRST, FIRST] == stage.began
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)


async def test_a_refused_configuration_is_final(stage: Stage) -> None:
    """A configuration that is refused is not run again; the next one is."""

    async def refuse() -> None:
        raise InvalidOcrConfig("transmitters", "others", "this node's")

    stage.session, stage.on_chain = refuse, FIRST
    watching = asyncio.create_task(stage.watch.run())
    await stage.settle()
    assert "configuration refused" in stage.status.last_error
    await stage.settle(RETRY_S)
    assert [FIRST] == stage.began
    stage.on_chain = SECOND
    await stage.settle(POLL_S)

    assert [FIRST, SECOND] == stage.began
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)


async def test_a_configuration_that_could_not_be_kept(stage: Stage) -> None:
    """It is run all the same, and kept as soon as the database takes it, so that the next start has it."""
    stage.on_chain, stage.unwritable = FIRST, True
    watching = asyncio.create_task(stage.watch.run())
    await stage.settle()
    assert ([FIRST], None) == (stage.began, stage.stored)
    assert "configuration not kept: away" == stage.status.last_error
    stage.unwritable = False
    await stage.settle(POLL_S)
    assert ([FIRST], FIRST) == (stage.began, stage.stored)
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)


async def test_a_configuration_that_differs_is_said(stage: Stage) -> None:
    """With each new configuration it is told in what it differs from the one before, and it is run."""
    seven = replace(make_committee(7, 2).contract_config, config_count=2)
    stage.stored = FIRST
    with capture_logs() as lines:
        watching = asyncio.create_task(stage.watch.run())
        await stage.settle()
        stage.on_chain = seven
        await stage.settle(POLL_S)
    assert [FIRST, seven] == stage.began
    told = [line["changes"] for line in lines if line["event"] == "configuration_changed"]
    assert [] == told[0]
    assert ["n is 7, before 4", "f is 2, before 1"] == told[1][:2]
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)


async def test_all_flaws_of_a_refused_configuration_are_said(stage: Stage) -> None:
    """A configuration that no oracle runs by is told with everything that is wrong with it."""
    signers = (FIRST.signers[0], FIRST.signers[0], *FIRST.signers[2:])
    stage.on_chain = replace(FIRST, signers=signers, f=2)

    async def refuse() -> None:
        PublicConfig.from_contract(stage.began[-1], 1337)

    stage.session = refuse
    with capture_logs() as lines:
        watching = asyncio.create_task(stage.watch.run())
        await stage.settle()
    (refused,) = [line for line in lines if line["event"] == "configuration_refused"]
    assert ["f", "signers[1]"] == [flaw.partition(":")[0] for flaw in refused["flaws"]]
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)


@pytest.mark.parametrize(("watches", "pause_s"), [(0, 5.0), (1, 5.0), (40, 5.0), (80, 10.0), (260, 32.5)])
def test_many_watches_ask_no_more_often_together(watches: int, pause_s: float) -> None:
    """A few contracts are looked at in their interval; of hundreds eight a second, whichever number they are."""
    assert pause_s == poll_pause_s(5.0, watches)
    assert 60.0 == poll_pause_s(60.0, watches)

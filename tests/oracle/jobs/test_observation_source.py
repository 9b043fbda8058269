"""Observations by a job's pipeline."""

import json
import uuid
from collections.abc import AsyncIterator

import aiohttp
import pytest

from chainlink.jobs import JobSpec
from meshkit.clock import ManualClock
from meshkit.metrics import Registry
from services.oracle.jobs.job_status import OracleStatus
from services.oracle.jobs.observation_source import ObservationSources
from services.oracle.jobs.round_events import RoundEvents
from services.oracle.jobs.specification import Head, OracleJob, Timings
from services.oracle.metrics import METRICS, OracleMetrics
from services.oracle.pipeline.errors import RunError
from services.oracle.pipeline.fetch import Fetcher
from services.oracle.pipeline.graph import Pipeline
from services.oracle.round_records.recorder import RoundRecorder
from services.oracle.round_records.store import RoundStore
from services.oracle.store.bridge_answers import BridgeAnswerStore
from services.oracle.store.database import Database
from services.oracle.store.jobs import JobStore
from services.oracle.store.last_observations import LastObservationStore
from services.oracle.store.runs import RunStore
from tests.oracle.quotes import QuoteServer

NOW_MS = 1_755_520_000_000
PIPELINE = """
    ask [type=bridge name=quotes]; price [type=jsonparse path="data,result"]; cents [type=multiply times=100]
    ask -> price -> cents
"""


def job(source: str, **limits: float) -> OracleJob:
    """Return a job with this pipeline."""
    timings = Timings(
        observation_s=limits.get("observation_s", 5),
        observation_grace_s=1,
        blockchain_s=1,
        database_s=1,
        transmit_s=1,
        config_poll_s=1,
        first_config_poll_s=1,
        config_subscribe_s=1,
        config_confirmations=1,
    )
    return OracleJob(
        head=Head("offchainreporting", uuid.UUID(int=7), "BTC / USD"),
        spec=JobSpec(contract_address="0xC", chain_id=1337, is_bootstrap=False),
        timings=timings,
        key_bundle_id="",
        transmitter="",
        pipeline=Pipeline.parse(source),
        max_task_s=limits.get("max_task_s", 0),
        gas_limit=1,
    )


def status() -> OracleStatus:
    """Return the status of job 1."""
    return OracleStatus(1, "BTC / USD", OracleMetrics(Registry(METRICS)), RoundEvents())


@pytest.fixture(name="quotes")
async def _quotes() -> AsyncIterator[QuoteServer]:
    """Give an adapter whose price rises by a cent with each request."""
    server = QuoteServer("100")
    await server.start()
    yield server
    await server.stop()


@pytest.fixture(name="sources")
async def _sources(database: Database, quotes: QuoteServer) -> AsyncIterator[ObservationSources]:
    """Give sources with the bridge `quotes`."""
    clock = ManualClock(NOW_MS)
    async with aiohttp.ClientSession() as session:
        fetcher = Fetcher(
            session, {"quotes": quotes.url}.get, default_timeout_s=5, max_bytes=4096, bridge_cache_ttl_s=60
        )
        answers = BridgeAnswerStore(database, clock)
        recorder = RoundRecorder(RoundStore(database, clock), clock)
        last, runs = LastObservationStore(database), RunStore(database, 9)
        yield ObservationSources(fetcher, recorder, answers, last, runs, clock)


async def test_observations(database: Database, sources: ObservationSources, quotes: QuoteServer) -> None:
    """Each observation tells the adapter the one before; after a restart it is known, runs are kept as they went."""
    stored = await JobStore(database).create(uuid.uuid4(), None, ("0xC", 1337), "", None)
    told = status()
    source = sources.of(stored.id, job(PIPELINE), told)
    await source.restore()
    assert [10001, 10002] == [await source.observe(1, 1), await source.observe(1, 2)]
    assert 10002 == told.last_observation
    await sources.last_observations.flush()

    again = sources.of(stored.id, job(PIPELINE), status())
    await again.restore()
    assert 10003 == await again.observe(1, 3)
    meta = [request["meta"] for request in quotes.requests if isinstance(request, dict)]
    assert [None, 10001, 10002] == [item["latestAnswer"] for item in meta]
    assert [None, NOW_MS // 1000, NOW_MS // 1000] == [item["updatedAt"] for item in meta]
    runs, _ = await sources.runs.of_job(stored.id, 0, 9)
    inputs = json.loads(runs[0].inputs)
    assert (("10003",), (None,)) == (runs[0].outputs, runs[0].fatal_errors)
    assert ("BTC / USD", stored.id, "10003") == (inputs["jb"]["name"], inputs["jb"]["databaseID"], inputs["cents"])
    assert "0x00000000000000000000000000000007" == inputs["jb"]["externalJobID"]
    # As in a real node: the tasks of a good run are not kept, those of a failed one are.
    assert runs[0].tasks is None
    failing = sources.of(stored.id, job("a [type=bridge name=nobody]; b [type=multiply times=2]; a -> b"), status())
    with pytest.raises(RunError):
        await failing.observe(1, 4)
    runs, _ = await sources.runs.of_job(stored.id, 0, 1)
    assert ["bridge", "multiply"] == [task.kind for task in runs[0].tasks or ()]


async def test_a_failed_observation(sources: ObservationSources) -> None:
    """A run without a value is the job's failure, with the reasons of its tasks."""
    told = status()
    source = sources.of(1, job("a [type=bridge name=nobody]; b [type=multiply times=2]; a -> b"), told)

    with pytest.raises(RunError, match="could not find bridge with name 'nobody'"):
        await source.observe(1, 1)
    assert told.last_error.startswith("observation failed: a: could not find bridge")
    assert told.last_observation is None


@pytest.mark.parametrize("limits", [{"observation_s": 0.1}, {"max_task_s": 0.1}])
async def test_the_end_of_the_time(sources: ObservationSources, quotes: QuoteServer, limits: dict[str, float]) -> None:
    """An observation ends before it has to be there, by the job's timeout or its limit on a run."""
    quotes.hangs = True
    source = sources.of(1, job(PIPELINE, **limits), status())

    with pytest.raises(RunError, match="http request timed out"):
        await source.observe(1, 1)


async def test_a_deleted_job_leaves_no_answer(sources: ObservationSources, quotes: QuoteServer) -> None:
    """What is kept of a job's bridges is that of no other job, nor of one that gets its number."""
    for job_id in (1, 2):
        await sources.of(job_id, job(PIPELINE), status()).observe(1, 1)
    await quotes.stop()
    assert 10001 == await sources.of(1, job(PIPELINE), status()).observe(1, 2)
    assert 10002 == await sources.of(2, job(PIPELINE), status()).observe(1, 2)
    sources.forget(1)

    with pytest.raises(RunError, match="error making http request"):
        await sources.of(1, job(PIPELINE), status()).observe(1, 3)


async def test_a_clock_that_is_off(sources: ObservationSources, quotes: QuoteServer) -> None:
    """While the aggregator says that our clock is off, no earlier price stands in, and that is known."""
    source = sources.of(1, job(PIPELINE), status())
    await source.observe(1, 1)
    error = {"name": "OWN_CLOCK_OFF", "message": "our own clock is 90 s ahead by 12 of 13 sources"}
    quotes.failure = {"statusCode": 503, "error": error}
    with pytest.raises(RunError, match="90 s ahead"):
        await source.observe(1, 2)
    assert source.clock_is_off
    quotes.failure = {"statusCode": 503, "error": {"name": "TOO_FEW_SOURCES", "message": "no"}}
    assert 10001 == await source.observe(1, 3)
    assert not source.clock_is_off

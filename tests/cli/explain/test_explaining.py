"""`feedmesh explain` and `replay` over gRPC, with nodes that keep rounds and one that is away."""

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from cli.errors import CliError, UsageError
from cli.explain.explaining import explain_round
from cli.explain.replaying import replay_round
from feedmesh.aggregator.v1 import quote_service_pb2_grpc as quotes_grpc
from feedmesh.oracle.v1 import oracle_service_pb2 as pb
from feedmesh.oracle.v1.oracle_service_pb2_grpc import add_OracleServiceServicer_to_server
from meshkit.clock import SystemClock
from meshkit.rpc.server import MeshServer
from services.aggregator import service as aggregator
from services.aggregator.engine.engine import Engine
from services.aggregator.metrics import open_registry
from services.oracle.jobs.round_events import RoundEvents
from services.oracle.pipeline.fetch import Fetcher
from services.oracle.pipeline.graph import Pipeline
from services.oracle.round_records.kept_rounds import KeptRounds
from services.oracle.service import FULL_NAME, OracleServicer
from tests.aggregator.fakes import NAMES, ScriptedSource, settings
from tests.meshkit.explain.test_sentences import moment, record

FEED = "BTC / USD"
NODES = ("chainlink-node-2", "chainlink-node-3")
BODY = json.dumps(
    {
        "data": {
            "result": "100.1",
            "pair": "BTC/USD",
            "price": "100.1",
            "sources": [
                {"source": name, "pair": ["BTC", "USD"], "price": price, "receivedAt": "2023-11-14T22:13:19.000Z"}
                for name, price in zip(NAMES, ("100", "100.1", "100.3"), strict=True)
            ],
        }
    }
)
PIPELINE = Pipeline.parse("""
    ask [type=bridge name=quotes]; price [type=jsonparse path="data,result"]; scaled [type=multiply times=100000000]
    ask -> price -> scaled
""")


class _Store:
    """Hold one round, and answer as the store of rounds does."""

    def __init__(self, kept: pb.RoundRecord) -> None:
        self.kept = kept

    async def count(self, _name: str) -> int:
        return 1

    async def newest(self, _name: str, _most: int, until_ms: int | None = None) -> list[pb.RoundRecord]:
        began_ms = self.kept.moments[0].time.ToMilliseconds()
        return [self.kept] if until_ms is None or began_ms <= until_ms else []

    async def after(self, *_asked: object) -> list[pb.RoundRecord]:
        return []

    async def of_contract_round(self, _name: str, number: int, _most: int) -> list[pb.RoundRecord]:
        return [self.kept] if number == 99 else []

    async def of_epoch(self, _name: str, epoch: int, round_number: int, _most: int) -> list[pb.RoundRecord]:
        return [self.kept] if (epoch, round_number) == (4, 7) else []


def _kept(index: int, value: str = "10010000000") -> pb.RoundRecord:
    values = {"observers": [0, 1, 2], "observations": ["1", "10010000000", "20010000000"], "value": "10010000000"}
    seen = moment(pb.ROUND_STAGE_OBSERVED, 9, value=value, answers=[pb.BridgeAnswer(task="ask", body=BODY)])
    return record(
        index, moment(pb.ROUND_STAGE_STARTED, leader=1), seen, moment(pb.ROUND_STAGE_FINALIZED, 600, **values)
    )


@pytest.fixture(name="value")
def _value() -> str:
    return "10010000000"


@pytest.fixture(name="mesh")
async def _mesh(run_dir: Path, value: str) -> AsyncIterator[Path]:
    """Serve two nodes that keep a round, and the aggregator; the first node observed `value`."""
    engine = Engine(settings(), [ScriptedSource(name) for name in NAMES], SystemClock(), open_registry())
    fetcher = Fetcher(_nothing(), lambda _name: None, default_timeout_s=5, max_bytes=4096)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(engine.close)
        quotes = MeshServer("price-aggregator", run_dir / "aggregator.sock", drain_s=0)
        quotes.add(quotes_grpc.add_QuoteServiceServicer_to_server, aggregator.QuoteService(engine), aggregator.NAME)
        await stack.enter_async_context(quotes)
        for index, name in enumerate(NODES):
            store: Any = _Store(_kept(index, value if index == 0 else "10010000000"))
            job = SimpleNamespace(external_job_id="e", name=FEED, label=FEED, contract="0x")
            status = SimpleNamespace(
                last_observation=None,
                config_digest="",
                oracle_index=index,
                epoch=4,
                leader=1,
                round=7,
                pinned="",
                last_error="",
            )
            spawner: Any = SimpleNamespace(
                all=lambda job=job, status=status: [SimpleNamespace(id=1, job=job, status=status)]
            )
            kept = KeptRounds(store, {FEED: PIPELINE}.get, fetcher)
            host: Any = SimpleNamespace()
            server = MeshServer(name, run_dir / f"{name}.sock", drain_s=0)
            server.add(
                add_OracleServiceServicer_to_server, OracleServicer(host, {}, spawner, RoundEvents(), kept), FULL_NAME
            )
            await stack.enter_async_context(server)
        (run_dir / "chainlink-node-4.sock").touch()
        yield run_dir


def _nothing() -> Any:
    return None


@pytest.mark.parametrize("which", ["", "99", "4/7", "2030-01-01T00:00:00Z"])
async def test_a_round_is_told_however_it_is_chosen(mesh: Path, which: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The last round, the contract's number, epoch with round, and a time all lead to the round that is kept."""
    await explain_round(mesh, FEED, which, as_json=True)

    said = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (4, 7, "ab" * 16) == (said["epoch"], said["round"], said["config_digest"])
    assert "all 3 sources used; oracle-3 took no part; quorum 3 of 4 observed" in said["words"]
    assert {"node-4": "no answer"} == said["unheard"]


async def test_a_person_reads_a_line_a_hop(mesh: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each hop is one line that begins with its name."""
    await explain_round(mesh, FEED, "", as_json=False)

    # The servers of the test log to the same place.
    shown = capsys.readouterr().out.splitlines()[-9:]
    assert ["sources", "quote", "observed", "report", "transmitted", "included"] == [
        line.split()[0] for line in shown[3:9]
    ]


@pytest.mark.parametrize(
    ("feed", "which", "error", "words"),
    [
        ("ETH / USD", "", UsageError, "FEED: found 'ETH / USD', allowed: the feeds that run here: BTC / USD"),
        (FEED, "98", CliError, "no node keeps that round of BTC / USD; 1 rounds are kept; node-4: no answer"),
        (FEED, "2001-01-01T00:00:00Z", CliError, "no node keeps that round"),
        (FEED, "soon", UsageError, "ROUND: found 'soon', allowed: the contract's number"),
    ],
)
async def test_what_is_not_there_is_one_line(
    mesh: Path, feed: str, which: str, error: type[CliError], words: str
) -> None:
    """A feed without a job, a round that nobody keeps, and a text that is none are each one line with what there is."""
    with pytest.raises(error, match=words.replace("|", r"\|")):
        await explain_round(mesh, feed, which, as_json=False)


async def test_a_round_gives_the_same_again(mesh: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The sources' median, each node's observation and the report's median come again, and the exit code is 0."""
    assert 0 == await replay_round(mesh, FEED, "99", as_json=True)

    said = json.loads(capsys.readouterr().out.splitlines()[-1])
    compared = {row["what"]: (row["kept"], row["now"]) for row in said["comparisons"]}
    assert ("100.1", "100.1") == compared["median of BTC/USD"]
    assert ("10010000000",) * 2 == compared["node-2 observation"] == compared["node-3 median of the report"]


@pytest.mark.parametrize("value", ["10010000001"])
async def test_another_result_fails(mesh: Path, value: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A value that the code of now does not make is named, with both, and the exit code is 1."""
    assert 1 == await replay_round(mesh, FEED, "99", as_json=False)

    assert f"node-2 observation: {value}, now 10010000000" in capsys.readouterr().out

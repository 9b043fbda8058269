"""A feed of OCR2: nodes of Chainlink's own program agree on libocr's own contract, all of it set up by our operator."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest

from feedmesh.operator.v1 import operator_service_pb2 as operator_pb
from feedmesh.operator.v1 import operator_service_pb2_grpc as operator_grpc
from tests.interop.program import Unavailable, build
from tests.mesh.running import Mesh, wait_until
from tests.node.mesh import Rounds, kill, rounds_until, running

pytestmark = [pytest.mark.chainlink_node, pytest.mark.timeout(1800)]

OF_OCR1, OF_OCR2 = "BTC / USD", "ETH / USD"
ORACLES = {f"chainlink-node-{index}" for index in range(2, 6)}
_SETTLES_S = 300.0


@pytest.fixture(name="code", scope="module")
def _code(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a file with the creation code of libocr's contract."""
    directory = tmp_path_factory.mktemp("libocr")
    try:
        program = build(directory)
    except Unavailable as error:
        pytest.skip(str(error))
    path = directory / "ocr2.hex"
    path.write_bytes(subprocess.run((program, "bytecode2"), stdout=subprocess.PIPE, check=True).stdout)
    # Services may run as users of their own.
    directory.chmod(0o755)
    return path


@pytest.fixture(name="mesh", scope="module")
def _mesh(chainlink: Path, code: Path) -> Iterator[Mesh]:
    """Give a mesh of Chainlink's nodes with a feed of either protocol."""
    settings = {OF_OCR2: {"ocrVersion": 2}}
    contracts = {"deploy": True, "ocr2CodeFile": str(code)}
    feeds = [OF_OCR1, OF_OCR2]
    with running(chainlink, "chainlink", feeds, feedSettings=settings, contracts=contracts) as mesh:
        yield mesh


def _all_observe(rounds: Rounds) -> bool:
    """Tell whether each feed had five rounds, and one with observations of all."""
    return all(
        len(of_feed) >= 5 and any(set(each.observers) == ORACLES for each in of_feed)
        for of_feed in ([each for each in rounds if each.feed == feed] for feed in (OF_OCR1, OF_OCR2))
    )


def test_rounds_are_made_by_either_protocol(mesh: Mesh) -> None:
    """Both feeds have rounds with observations of all oracles, sent by several, and the same price as each other's."""
    rounds = rounds_until(mesh, _all_observe, "five rounds of each feed, and one with all oracles")
    of_ocr2 = [each for each in rounds if each.feed == OF_OCR2]

    assert all(set(each.observers) <= ORACLES and each.transmitter in ORACLES for each in of_ocr2)
    assert sorted(each.round_id for each in of_ocr2) == [each.round_id for each in of_ocr2]
    assert all(len(each.observations) == len(each.observers) >= 3 for each in of_ocr2)


def test_a_second_pass_changes_nothing(mesh: Mesh) -> None:
    """What the nodes answer of their OCR2 jobs and bundles, and the contract of its configuration, is as wanted."""

    def changes_nothing() -> bool:
        with grpc.insecure_channel(f"unix:{mesh.run_dir / 'operator.sock'}") as connection:
            made = operator_grpc.OperatorServiceStub(connection).Reconcile(operator_pb.ReconcileRequest(), timeout=120)
        return not made.changes

    # The pass that set it all up may still be at work, with the last node's last job.
    wait_until("a pass without changes", changes_nothing, _SETTLES_S)
    phases = {feed["name"]: feed["phase"] for feed in mesh.feeds().values()}
    assert {"FEED_PHASE_RUNNING"} == set(phases.values()), phases


def test_keys_and_jobs_are_told(mesh: Mesh) -> None:
    """Each oracle tells a bundle of its own for either protocol, a bootstrap node none, and each job its contract."""
    nodes = json.loads(mesh.command("nodes", "--json").stdout)
    bundles = [node[key] for node in nodes[1:] for key in ("key_bundle_id", "ocr2_key_bundle_id")]
    jobs = json.loads(mesh.command("jobs", "--json", check=False).stdout)["nodes"]
    types = {job["type"] for each in jobs for job in each["jobs"]}

    assert ("", "") == (nodes[0]["key_bundle_id"], nodes[0]["ocr2_key_bundle_id"])
    assert len(bundles) == len(set(bundles))
    assert all(bundles)
    assert {"offchainreporting", "offchainreporting2", "bootstrap"} == types
    assert {job["contract_address"] for each in jobs for job in each["jobs"]} == {
        feed["address"] for feed in mesh.feeds().values()
    }


def test_a_changed_setting_reaches_the_contract_and_its_nodes(mesh: Mesh) -> None:
    """A setting of the feed is written on chain anew, for that feed alone, and rounds are made by it."""
    before = {name: feed["config_digest"] for name, feed in mesh.feeds().items()}
    config = mesh.data_dir / "configuration.json"
    document = json.loads(config.read_text())
    document["solution"]["mesh"]["feedSettings"][OF_OCR2]["rMax"] = 7
    config.write_text(json.dumps(document))
    mesh.command("apply", "--config", str(config))

    def digests() -> dict[str, str]:
        # The operator is another process now, and may not be there yet.
        listed = mesh.command("feeds", "--json", check=False)
        return {feed["name"]: feed["config_digest"] for feed in json.loads(listed.stdout)} if listed.stdout else {}

    def is_written() -> bool:
        return digests().get(OF_OCR2, "") not in ("", before[OF_OCR2])

    wait_until("another configuration", is_written, _SETTLES_S)
    rounds_until(mesh, lambda seen: any(each.feed == OF_OCR2 for each in seen), "a report by the new configuration")
    assert before[OF_OCR1] == digests()[OF_OCR1]


def test_rounds_go_on_without_one_of_the_oracles(mesh: Mesh) -> None:
    """A node that is killed is missing in reports of OCR2, and is in them again when it is back."""
    victim = "chainlink-node-3"
    kill(mesh, victim)

    def without(rounds: Rounds) -> bool:
        return any(each.feed == OF_OCR2 and victim not in each.observers for each in rounds)

    def with_it(rounds: Rounds) -> bool:
        return any(each.feed == OF_OCR2 and victim in each.observers for each in rounds)

    rounds_until(mesh, without, f"a report without {victim}")
    rounds_until(mesh, with_it, f"a report with {victim}")

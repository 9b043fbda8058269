"""The real libocr and our nodes in one network, on the library's contract, configured as our operator encodes it."""

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from pathlib import Path

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.dbinit.server import Server
from tests.interop.network import TIMINGS, Accepted, Network, running
from tests.interop.participant import FIRST_VALUE
from tests.oracle.network import NodeProcess

# The first run on a machine downloads and compiles the library and what it needs.
pytestmark = pytest.mark.timeout(900)

Run = Callable[..., AbstractAsyncContextManager[Network]]
# What the library warns of while peers come and go.
_EXPECTED = (
    "latency metrics service not starting, no configs provided",
    "Discoverer found no addresses",
    "Dial error",
    "Error reading from connection",
    "Error writing to connection",
    "Failed to close connection",
    # A leader whose term is over says so until the others are there to agree.
    "new round number would be larger than RMax + 1",
)
# What our nodes count when something is wrong with what they are sent.
_WRONG = ("messages_malformed", "internal_errors", "announcements_refused", "incoming_over_rate")


@pytest.fixture(name="run")
def _run(program: Path, postgres: Server, http: aiohttp.ClientSession, tmp_path: Path, run_dir: Path) -> Run:
    """Give `running` with all that it needs."""

    def run(oracles: str, **options: object) -> AbstractAsyncContextManager[Network]:
        return running(oracles, program, postgres, http, tmp_path, run_dir, **options)  # type: ignore[arg-type]

    return run


async def nobody_complains(network: Network, http: aiohttp.ClientSession) -> None:
    """Check that neither side found fault with what the other one sent."""
    said = [line for member in network.theirs for line in member.troubles]
    assert [] == [line for line in said if not any(expected in line for expected in _EXPECTED)]
    for node in network.ours:
        counted = await events(node, http)
        assert {} == {event: count for event, count in counted.items() if event in _WRONG and count}


async def events(node: NodeProcess, http: aiohttp.ClientSession) -> dict[str, float]:
    """Return what a node counted of its network and its rounds."""
    async with http.get(f"{node.url}/metrics") as response:
        families = list(text_string_to_metric_families(await response.text()))
    samples = [sample for family in families for sample in family.samples]
    return {s.labels["event"]: s.value for s in samples if s.name == "feedmesh_oracle_events"}


async def test_four_of_theirs(run: Run, http: aiohttp.ClientSession) -> None:
    """Four of their oracles find each other through our bootstrapper, follow our configuration, and then another."""
    async with run("tttt", bootstrap="o") as network:
        reports = await network.until_accepted(lambda new: len(new) >= 3, "three reports")
        assert all(FIRST_VALUE < report.answer < FIRST_VALUE + 100_00000000 for report in reports)
        first = await network.config_digest()

        await network.configure(replace(TIMINGS, r_max=3))
        assert first != await network.config_digest()
        await network.until_accepted(lambda new: len(new) >= 3, "three reports of the next configuration")
        await nobody_complains(network, http)


def both_do_everything(reports: Sequence[Accepted]) -> bool:
    """Tell whether oracles of both sides, 0 and 1 theirs, 2 and 3 ours, led and transmitted, and all observed."""
    sides = [{report.leader // 2 for report in reports}, {report.transmitter // 2 for report in reports}]
    return [{0, 1}] * 2 == sides and {0, 1, 2, 3} == {i for report in reports for i in report.observers}


async def test_two_and_two(run: Run, http: aiohttp.ClientSession) -> None:
    """Either side leads and transmits, and all four are in the reports."""
    async with run("ttoo", leaders=(0, 2)) as network:
        reports = await network.until_accepted(both_do_everything, "reports led, transmitted and observed by both")
        assert sorted(reports, key=lambda report: (report.epoch, report.round)) == reports
        await nobody_complains(network, http)


async def test_ours_is_needed(run: Run, http: aiohttp.ClientSession) -> None:
    """When one of their three dies, ours makes the quorum full."""
    async with run("ttto") as network:
        await network.until_accepted(lambda new: len(new) >= 2, "two reports of four oracles")
        await network.theirs[-1].stop(kill=True)
        await network.until_accepted(
            lambda new: sum(set(report.observers) == {0, 1, 3} for report in new) >= 3, "three reports without oracle 2"
        )
        await nobody_complains(network, http)


async def test_ours_leads(run: Run, http: aiohttp.ClientSession) -> None:
    """Rounds led by ours are reported, and their oracles find nothing to refuse in them."""
    async with run("ttto", leaders=(3,) * 5) as network:
        await network.until_accepted(
            lambda new: sum(report.leader == 3 for report in new) >= 5, "five reports led by ours"
        )
        await nobody_complains(network, http)

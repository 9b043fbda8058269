"""Long runs of the real libocr and our nodes in one network."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import aiohttp
import pytest

from tests.interop.complaints import nobody_complains
from tests.interop.conftest import Run
from tests.interop.network import TIMINGS, Accepted, Network
from tests.interop.participant import Participant
from tests.oracle.ocr.committee import S
from tests.waiting import until

pytestmark = [pytest.mark.campaign, pytest.mark.timeout(1800)]

_FULL_ALPHA_PPB = 1_000_000_000
_QUIET_ROUNDS = 10


async def rounds_pass(network: Network, count: int) -> None:
    """Return after their oracles were asked for so many more observations."""
    (first, *_) = [member for member in network.theirs if member.command == "oracle"]
    before = len(first.moments)
    await until(lambda: len(first.moments) >= before + count, f"{count} rounds", 60)


async def test_quiet_market(run: Run, http: aiohttp.ClientSession) -> None:
    """Both sides agree that nothing is to be reported, until somebody asks for a round, and then on one report."""
    quiet = replace(TIMINGS, alpha_ppb=_FULL_ALPHA_PPB, delta_c_ns=3600 * S)
    async with run("ttoo", timings=quiet) as network:
        await network.until_accepted(lambda new: len(new) >= 1, "the first report of a configuration")
        await rounds_pass(network, _QUIET_ROUNDS)
        assert 1 == len(await network.accepted())

        await network.aggregator.request_round()
        await network.until_accepted(lambda all_of_them: len(all_of_them) >= 2, "the report that was asked for")
        await rounds_pass(network, _QUIET_ROUNDS)
        assert 2 == len(await network.accepted())
        await nobody_complains(network, http)


@pytest.mark.parametrize("bootstrap", ["t", "o"])
async def test_everybody_dies_once(run: Run, http: aiohttp.ClientSession, bootstrap: str) -> None:
    """Each member is killed and comes back; the others report meanwhile, and all are in the reports after."""
    async with run("ttoo", bootstrap=bootstrap) as network:
        for index, member in enumerate((*network.oracles, network.bootstrap)):
            before = len(await network.accepted())
            await network.until_accepted(_everybody, "everybody in the reports", since=before)
            await (member.stop(kill=True) if isinstance(member, Participant) else member.stop())
            before = len(await network.accepted())
            await network.until_accepted(partial(_without, index), f"reports without {member.name}", since=before)
            if isinstance(member, Participant):
                await member.restart()
            else:
                await member.start()
                await member.ready(http)
        before = len(await network.accepted())
        await network.until_accepted(_everybody, "everybody in the reports again", since=before)
        reports = await network.accepted()
        assert sorted(reports, key=lambda report: (report.epoch, report.round)) == reports


def _without(index: int, reports: Sequence[Accepted]) -> bool:
    return sum(index not in report.observers for report in reports) >= 3


def _everybody(reports: Sequence[Accepted]) -> bool:
    return {0, 1, 2, 3} == {observer for report in reports for observer in report.observers}

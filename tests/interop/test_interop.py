"""The real libocr and our nodes in one network, on the library's contract, configured as our operator encodes it."""

from collections.abc import Sequence
from dataclasses import replace

import aiohttp
import pytest

from tests.interop.complaints import nobody_complains
from tests.interop.conftest import Run
from tests.interop.network import TIMINGS, Accepted
from tests.interop.participant import FIRST_VALUE

# The first run on a machine downloads and compiles the library and what it needs.
pytestmark = [pytest.mark.long(30), pytest.mark.timeout(900)]


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
        before = len(await network.accepted())
        await network.until_accepted(
            lambda new: sum(set(report.observers) == {0, 1, 3} for report in new) >= 3,
            "three reports without oracle 2",
            since=before,
        )
        await nobody_complains(network, http)


async def test_ours_leads(run: Run, http: aiohttp.ClientSession) -> None:
    """Rounds led by ours are reported, and their oracles find nothing to refuse in them."""
    async with run("ttto", leaders=(3,) * 5) as network:
        await network.until_accepted(
            lambda new: sum(report.leader == 3 for report in new) >= 5, "five reports led by ours"
        )
        await nobody_complains(network, http)

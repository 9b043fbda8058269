"""How long rounds of libocr take, measured like those of our own oracles."""

import asyncio
from collections import defaultdict
from collections.abc import Iterable
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import aiohttp

from tests.interop.network import TIMINGS, Network, deploy
from tests.interop.participant import Moment, Participant
from tests.interop.program import Unavailable, build
from tests.oracle.anvil import Anvil
from tests.oracle.ocr.committee import MS, S
from tests.waiting import until

_WARM_ROUNDS = 3
_NS_PER_MS = 1_000_000


async def libocr_latency(n: int, seconds: float, *, round_ms: int, grace_ms: int) -> list[float] | None:
    """
    Return the latency of each round that n oracles run by libocr complete in so many seconds, in milliseconds.

    A round begins when the first oracle is asked for its observation, and ends when the report with its signatures is
    known to 2f+1 oracles. Each oracle is a process, and reads a real chain on the same machine. None where the program
    cannot be built.
    """
    with TemporaryDirectory(prefix="fm") as directory:
        try:
            program = await asyncio.to_thread(build, Path(directory))
        except Unavailable:
            return None
        return await _measure(program, n, seconds, round_ms, grace_ms)


async def _measure(program: Path, n: int, seconds: float, round_ms: int, grace_ms: int) -> list[float]:
    quorum = 2 * ((n - 1) // 3) + 1
    timings = replace(
        TIMINGS,
        delta_progress_ns=20 * S,
        delta_resend_ns=2 * S,
        delta_round_ns=round_ms * MS,
        delta_grace_ns=grace_ms * MS,
        r_max=100,
    )
    async with AsyncExitStack() as stack:
        anvil = Anvil(await stack.enter_async_context(aiohttp.ClientSession()), None)
        stack.push_async_callback(anvil.stop)
        await anvil.start()
        bootstrap = Participant("bootstrap", program, "bootstrap")
        oracles = [Participant(f"theirs-{index}", program, "oracle") for index in range(n)]
        network = Network(await deploy(anvil, program), oracles, bootstrap)
        await network.configure(timings)
        await asyncio.gather(*(anvil.fund(oracle.evm.address) for oracle in oracles))
        for member in network.theirs:
            stack.push_async_callback(member.stop)
            await member.start(anvil.port, network.aggregator.address, bootstrap.locator)

        def finished() -> list[float]:
            return latencies_ms((moment for oracle in oracles for moment in oracle.moments), quorum)

        await until(lambda: len(finished()) >= _WARM_ROUNDS, "warm rounds", 120)
        warm = len(finished())
        await asyncio.sleep(seconds)
        return finished()[warm:]


def latencies_ms(moments: Iterable[Moment], quorum: int) -> list[float]:
    """Return the latency of each round that a quorum completed, at the oracle that makes the quorum full."""
    began_ns: dict[tuple[int, int], int] = {}
    ended_ns: dict[tuple[int, int], list[int]] = defaultdict(list)
    for moment in moments:
        key = (moment.epoch, moment.round)
        if moment.kind == "observe":
            began_ns[key] = min(moment.at_ns, began_ns.get(key, moment.at_ns))
        else:
            ended_ns[key].append(moment.at_ns)
    complete = {key: sorted(ends)[quorum - 1] for key, ends in sorted(ended_ns.items()) if len(ends) >= quorum}
    return [(end_ns - began_ns[key]) / _NS_PER_MS for key, end_ns in complete.items() if key in began_ns]

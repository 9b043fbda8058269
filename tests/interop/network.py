"""Networks of oracles by libocr and of ours, on a real chain with the library's own contract."""

import asyncio
import os
import random
import signal
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import aiohttp

from chainlink.contract.aggregator import LATEST_CONFIG_DETAILS, NEW_TRANSMISSION, decode_config_details
from chainlink.ocr.offchain_config import OffchainConfig
from chainlink.ocr.report_context import read_context_tag
from chainlink.ocr.shared_secret import SharedSecretEncryptions
from services.operator.onchain import ocr_config
from services.oracle.ocr.schedule import leader, leader_key
from tests.dbinit.server import Server
from tests.interop.participant import Participant
from tests.oracle.anvil import OWNER, Aggregator, Anvil
from tests.oracle.conftest import empty, node_url
from tests.oracle.network import NodeProcess, set_up_bootstrap, set_up_oracle
from tests.oracle.ocr.committee import MS, S
from tests.oracle.quotes import QuoteServer
from tests.waiting import until

_WITHIN_S = 60
# As fast as a loaded machine bears; the oracles and what is made of their number come with the network.
TIMINGS = OffchainConfig(
    delta_progress_ns=3 * S,
    delta_resend_ns=500 * MS,
    delta_round_ns=600 * MS,
    delta_grace_ns=150 * MS,
    delta_c_ns=600 * S,
    alpha_ppb=1,
    delta_stage_ns=1 * S,
    r_max=2,
    s=(),
    offchain_public_keys=(),
    peer_ids=(),
)


@dataclass(frozen=True, slots=True)
class Accepted:
    """Hold a report that the contract took; leader, transmitter and observers are oracle indices."""

    config_digest: bytes
    epoch: int
    round: int
    leader: int
    transmitter: int
    observers: tuple[int, ...]
    answer: int


@dataclass
class Network:
    """Hold a running network; element i of `oracles` is oracle i of the configuration."""

    aggregator: Aggregator
    oracles: Sequence[Participant | NodeProcess]
    bootstrap: Participant | NodeProcess
    leader_key: bytes = b""

    @property
    def theirs(self) -> list[Participant]:
        """Return all that libocr runs."""
        return [member for member in (self.bootstrap, *self.oracles) if isinstance(member, Participant)]

    @property
    def ours(self) -> list[NodeProcess]:
        """Return our nodes."""
        return [member for member in (self.bootstrap, *self.oracles) if isinstance(member, NodeProcess)]

    async def config_digest(self) -> bytes:
        """Return the digest of the contract's configuration."""
        data = await self.aggregator.anvil.rpc.eth_call(self.aggregator.address, LATEST_CONFIG_DETAILS.selector)
        return decode_config_details(data).config_digest

    async def configure(self, timings: OffchainConfig = TIMINGS, *, leaders: Sequence[int] = ()) -> None:
        """Write a configuration as our operator encodes it; `leaders` are those of the first epochs."""
        keys = [oracle.ocr.keys for oracle in self.oracles]
        n = len(self.oracles)
        offchain = replace(
            timings,
            s=ocr_config.transmission_stages(n),
            offchain_public_keys=tuple(key.offchain_public_key for key in keys),
            peer_ids=tuple(oracle.p2p.peer_id for oracle in self.oracles),
        )
        secret = _secret_with(leaders, n)
        self.leader_key = leader_key(secret)
        config_keys = [key.config_public_key for key in keys]
        encoded = offchain.encode(SharedSecretEncryptions.seal(secret, os.urandom(32), config_keys))
        addresses = [oracle.evm.address for oracle in self.oracles]
        await self.aggregator.configure([key.signing_address for key in keys], addresses, (n - 1) // 3, encoded)

    async def accepted(self) -> list[Accepted]:
        """Return what the contract took under its present configuration, oldest first."""
        transmitters = [oracle.evm.address for oracle in self.oracles]
        rpc, digest = self.aggregator.anvil.rpc, await self.config_digest()
        logs = await rpc.logs(self.aggregator.address, NEW_TRANSMISSION.topic, 0, await rpc.number("eth_blockNumber"))
        found = []
        for log in logs:
            said = NEW_TRANSMISSION.decode(log)
            context = read_context_tag(said["rawReportContext"])
            if context.config_digest != digest:
                continue
            epoch = context.epoch
            leads = leader(epoch, self.leader_key, len(self.oracles))
            index = transmitters.index(said["transmitter"])
            observers = tuple(said["observers"])
            found.append(Accepted(digest, epoch, context.round, leads, index, observers, said["answer"]))
        return found

    async def until_accepted(
        self, condition: Callable[[Sequence[Accepted]], bool], what: str, *, since: int = 0
    ) -> list[Accepted]:
        """Return the reports under the present configuration, but the first `since`, once the condition holds."""
        found: list[Accepted] = []

        async def holds() -> bool:
            found[:] = (await self.accepted())[since:]
            return condition(found)

        try:
            await until(holds, what, _WITHIN_S)
        except AssertionError as error:
            raise AssertionError(f"{error}; only {found}\n{self._said()}") from error
        return found

    def _said(self) -> str:
        said = []
        for member in (self.bootstrap, *self.oracles):
            lines = member.said if isinstance(member, Participant) else member.log.read_text().splitlines()
            said.append("\n".join((f"-- {member.name}", *lines[-12:])))
        return "\n".join(said)


@asynccontextmanager
async def running(
    oracles: str,
    program: Path,
    postgres: Server,
    http: aiohttp.ClientSession,
    directory: Path,
    run_dir: Path,
    *,
    bootstrap: str = "t",
    leaders: Sequence[int] = (),
    timings: OffchainConfig = TIMINGS,
) -> AsyncIterator[Network]:
    """Run a configured network; a letter stands for who runs a member: t for them, o for us."""
    async with AsyncExitStack() as stack:
        anvil, quotes = Anvil(http, None), QuoteServer()
        stack.push_async_callback(anvil.stop)
        stack.push_async_callback(quotes.stop)
        await asyncio.gather(anvil.start(), quotes.start())
        made: list[Participant | NodeProcess] = []
        for number, whose in enumerate(bootstrap + oracles, start=1):
            if whose == "t":
                theirs = Participant(f"theirs-{number}", program, "oracle" if made else "bootstrap")
                stack.push_async_callback(theirs.stop)
                made.append(theirs)
                continue
            url = node_url(postgres, number)
            await empty(url)
            ours = NodeProcess.make(f"chainlink-node-{number}", directory / str(number), run_dir, url)
            stack.push_async_callback(ours.stop, signal.SIGKILL)
            ours.write_files(anvil.url, made[0].locator if made else None)
            await ours.start()
            made.append(ours)
        network = Network(await deploy(anvil, program), made[1:], made[0])
        await network.configure(timings, leaders=leaders)
        await asyncio.gather(*(anvil.fund(oracle.evm.address) for oracle in network.oracles))
        await asyncio.gather(*(node.ready(http) for node in network.ours))
        contract, locator = network.aggregator.address, made[0].locator
        for member in made:
            if isinstance(member, Participant):
                await member.start(anvil.port, contract, locator)
            elif member is made[0]:
                await set_up_bootstrap(http, member, contract)
            else:
                await set_up_oracle(http, member, contract, locator, quotes.url)
        yield network


async def deploy(anvil: Anvil, program: Path) -> Aggregator:
    """Deploy the library's contract, whose code the program has."""
    process = await asyncio.create_subprocess_exec(str(program), "bytecode", stdout=asyncio.subprocess.PIPE)
    code, _ = await process.communicate()
    await anvil.fund(OWNER)
    return await Aggregator.deploy(anvil, bytes.fromhex(code.decode().strip().removeprefix("0x")))


def _secret_with(leaders: Sequence[int], n: int) -> bytes:
    """Return a shared secret that makes these the leaders of the first epochs."""
    while True:
        secret = random.randbytes(16)
        key = leader_key(secret)
        if all(leader(epoch, key, n) == index for epoch, index in enumerate(leaders, start=1)):
            return secret

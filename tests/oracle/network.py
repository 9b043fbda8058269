"""A network of real node processes over a real chain, PostgreSQL and adapter."""

import asyncio
import json
import os
import signal
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import aiohttp
import tomlkit

from chainlink.keys.evm import EvmKey
from chainlink.keys.ocr1 import OcrKeyBundle
from chainlink.keys.p2p import P2pKey
from chainlink.ocr.shared_secret import SharedSecretEncryptions
from tests.oracle.anvil import CHAIN_ID, Aggregator
from tests.oracle.eventually import eventually
from tests.oracle.ocr.committee import MS, S, demo_timings
from tests.ports import free_port

PASSWORD = "correct-horse-battery-staple"
EMAIL, API_PASSWORD = "operator@example.org", "a-password-for-the-api"
_FAST_N = 2


@dataclass
class NodeProcess:
    """Hold one node: its keys, files and process."""

    name: str
    directory: Path
    run_dir: Path
    database_url: str
    evm: EvmKey
    p2p: P2pKey
    ocr: OcrKeyBundle
    api_port: int
    p2p_port: int
    process: asyncio.subprocess.Process | None = None

    @classmethod
    def make(cls, name: str, directory: Path, run_dir: Path, database_url: str) -> "NodeProcess":
        """Make a node with fresh keys and ports."""
        directory.mkdir()
        keys = (EvmKey.generate(), P2pKey.generate(), OcrKeyBundle.generate())
        return cls(name, directory, run_dir, database_url, *keys, free_port(), free_port())

    @property
    def url(self) -> str:
        """Return the base URL of the REST API."""
        return f"http://127.0.0.1:{self.api_port}"

    @property
    def locator(self) -> str:
        """Return the bootstrapper locator."""
        return f"{self.p2p.peer_id}@127.0.0.1:{self.p2p_port}"

    @property
    def log(self) -> Path:
        """Return the file of the node's output."""
        return self.directory / "log.txt"

    def write_files(self, rpc_url: str, bootstrapper: str | None = None) -> None:
        """Write config.toml, secrets.toml and apicredentials as an operator does."""
        listen = [f"127.0.0.1:{self.p2p_port}"]
        v2 = {"ListenAddresses": listen, "AnnounceAddresses": listen, "DeltaDial": "1s", "DeltaReconcile": "1s"}
        config = {
            "RootDir": str(self.directory),
            "Feature": {"FeedsManager": False},
            "WebServer": {
                "HTTPPort": self.api_port,
                "ListenIP": "127.0.0.1",
                "SecureCookies": False,
                "HTTPMaxSize": "1mb",
                "RateLimit": {"Authenticated": 100_000, "Unauthenticated": 100},
            },
            "OCR": {"Enabled": True},
            "P2P": {
                "PeerID": self.p2p.peer_id,
                "V2": v2 | ({"DefaultBootstrappers": [bootstrapper]} if bootstrapper else {}),
            },
            "EVM": [
                {
                    "ChainID": str(CHAIN_ID),
                    "GasEstimator": {"Mode": "FixedPrice", "PriceDefault": "1 gwei", "LimitDefault": 500_000},
                    "Nodes": [
                        {"Name": "primary", "HTTPURL": rpc_url, "WSURL": rpc_url.replace("http", "ws")},
                    ],
                }
            ],
        }
        secrets = {
            "Database": {"URL": self.database_url},
            "Password": {"Keystore": "the-password-of-the-keystore"},
            "EVM": {
                "Keys": [
                    {
                        "ID": CHAIN_ID,
                        "JSON": json.dumps(self.evm.export(PASSWORD, _FAST_N)),
                        "Password": PASSWORD,
                    }
                ]
            },
            "P2PKey": {"JSON": json.dumps(self.p2p.export(PASSWORD, _FAST_N)), "Password": PASSWORD},
        }
        (self.directory / "config.toml").write_text(tomlkit.dumps(config))
        (self.directory / "secrets.toml").write_text(tomlkit.dumps(secrets))
        (self.directory / "apicredentials").write_text(f"{EMAIL}\n{API_PASSWORD}\n")

    async def start(self) -> None:
        """Start the process."""
        files = [(f"--{flag}", str(self.directory / name)) for flag, name in FILES]
        with self.log.open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                sys.executable,
                *("-m", "services.oracle", "node"),
                *(part for pair in files for part in pair),
                *("--run-dir", str(self.run_dir), "--name", self.name),
                stdout=log,
                stderr=log,
                env={"PATH": os.environ["PATH"]},
            )

    async def ready(self, http: aiohttp.ClientSession) -> None:
        """Return once the node says that it is ready."""

        async def answers() -> bool:
            assert self.process is not None
            assert self.process.returncode is None, self.log.read_text()[-3000:]
            try:
                async with http.get(f"{self.url}/readyz") as response:
                    return response.status == 200
            except aiohttp.ClientError:
                return False

        await eventually(answers, 60, f"{self.name} is ready")

    async def stop(self, number: signal.Signals = signal.SIGTERM) -> int | None:
        """End the process; return its exit code."""
        if self.process is None:
            return None
        if self.process.returncode is None:
            self.process.send_signal(number)
        return await self.process.wait()

    async def login(self, http: aiohttp.ClientSession) -> None:
        """Log in; the session keeps the cookie."""
        document = {"email": EMAIL, "password": API_PASSWORD}
        async with http.post(f"{self.url}/sessions", json=document) as response:
            assert 200 == response.status, await response.text()


FILES = (("config", "config.toml"), ("secrets", "secrets.toml"), ("api", "apicredentials"))


def oracle_job(node: NodeProcess, contract: str, bootstrapper: str) -> str:
    """Return the TOML of an oracle's job for a contract."""
    return tomlkit.dumps(
        {
            "type": "offchainreporting",
            "schemaVersion": 1,
            "name": "BTC / USD",
            "evmChainID": str(CHAIN_ID),
            "contractAddress": contract,
            "isBootstrapPeer": False,
            "p2pv2Bootstrappers": [bootstrapper],
            "keyBundleID": node.ocr.id,
            "transmitterAddress": node.evm.address,
            "observationTimeout": "1s",
            "observationSource": """
                quote [type=bridge name="quotes" requestData="{\\"data\\":{\\"pair\\":\\"BTC/USD\\"}}" timeout="900ms"];
                price [type=jsonparse path="data,result"];
                answer [type=multiply times=100000000];
                quote -> price -> answer;
            """,
        }
    )


def bootstrap_job(contract: str) -> str:
    """Return the TOML of a bootstrap job for a contract."""
    return tomlkit.dumps(
        {
            "type": "offchainreporting",
            "schemaVersion": 1,
            "name": "bootstrap BTC / USD",
            "evmChainID": str(CHAIN_ID),
            "contractAddress": contract,
            "isBootstrapPeer": True,
            "p2pv2Bootstrappers": [],
        }
    )


async def configure(aggregator: Aggregator, oracles: list[NodeProcess], **changes: object) -> None:
    """Fund the transmitters and write the configuration of these oracles on chain."""
    keys = [node.ocr.keys for node in oracles]
    offchain = replace(
        demo_timings(len(oracles)),
        delta_progress_ns=4 * S,
        delta_round_ns=1200 * MS,
        delta_grace_ns=400 * MS,
        delta_stage_ns=1 * S,
        offchain_public_keys=tuple(key.offchain_public_key for key in keys),
        peer_ids=tuple(node.p2p.peer_id for node in oracles),
    )
    offchain = replace(offchain, **changes)  # type: ignore[arg-type]
    config_keys = [key.config_public_key for key in keys]
    encoded = offchain.encode(SharedSecretEncryptions.seal(os.urandom(16), os.urandom(32), config_keys))
    for node in oracles:
        await aggregator.anvil.fund(node.evm.address)
    await aggregator.configure(
        [key.signing_address for key in keys], [node.evm.address for node in oracles], 1, encoded
    )


async def set_up_jobs(
    http: aiohttp.ClientSession, aggregator: Aggregator, bootstrap: NodeProcess, oracles: list[NodeProcess], quotes: str
) -> None:
    """Import bundles and create bridges and jobs over REST, as an operator does."""
    await set_up_bootstrap(http, bootstrap, aggregator.address)
    for node in oracles:
        await set_up_oracle(http, node, aggregator.address, bootstrap.locator, quotes)


async def set_up_bootstrap(http: aiohttp.ClientSession, node: NodeProcess, contract: str) -> None:
    """Make a node the bootstrapper of a contract."""
    await node.login(http)
    await _post(http, node, "/v2/jobs", {"toml": bootstrap_job(contract)})


async def set_up_oracle(
    http: aiohttp.ClientSession, node: NodeProcess, contract: str, bootstrapper: str, quotes: str
) -> None:
    """Make a node an oracle of a contract."""
    await node.login(http)
    await _post(http, node, f"/v2/keys/ocr/import?oldpassword={PASSWORD}", node.ocr.export(PASSWORD, _FAST_N))
    await _post(http, node, "/v2/bridge_types", {"name": "quotes", "url": quotes})
    await _post(http, node, "/v2/jobs", {"toml": oracle_job(node, contract, bootstrapper)})


async def _post(http: aiohttp.ClientSession, node: NodeProcess, path: str, document: dict[str, Any]) -> None:
    async with http.post(f"{node.url}{path}", json=document) as response:
        assert 200 == response.status, f"{path}: {await response.text()}"

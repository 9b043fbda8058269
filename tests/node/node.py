"""One node of a deployment, of either program, with the files that the operator makes and started as it is served."""

import asyncio
import os
import secrets
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from cli.embedded.profile import document_for
from cli.serve.served_service import HttpQuestion, ServedService, service_of
from meshkit.configuration.node_program import PROGRAM_VARIABLE, NodeRuntime
from meshkit.configuration.solution import Configuration, Solution
from meshkit.paths import RunDir
from services.dbinit.databases.provision import provision
from services.operator.config import OperatorConfig
from services.operator.nodes import prepare_nodes
from services.operator.nodes.identity import bootstrappers
from services.operator.nodes.prepare_nodes import PreparedNode
from tests.dbinit.server import Server, in_thread, open_directory, settings_in
from tests.mesh.running import free_port_offset
from tests.operator.anvil import start as anvil
from tests.waiting import until

INDEX = 2
"""The number of the node under test: an oracle of a mesh of five, whose other nodes do not run."""
_READY_S = 300.0
_STOPS_WITHIN_S = 40.0


@dataclass
class NodeUnderTest:
    """Hold a node with its files, and its process while it has one."""

    runtime: NodeRuntime
    config: OperatorConfig
    prepared: PreparedNode
    bootstrappers: tuple[str, ...]
    served: ServedService
    log: Path
    process: "subprocess.Popen[bytes] | None" = field(default=None, repr=False)

    @property
    def url(self) -> str:
        """Return where its API is."""
        assert isinstance(self.served.question, HttpQuestion)
        return f"http://127.0.0.1:{self.served.question.port}"

    def start(self) -> None:
        """Start its process and wait until it is ready."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.served.command, env=dict(self.served.environment), stdout=log, stderr=log, start_new_session=True
            )
        in_thread(self._ready())

    def end(self, number: signal.Signals) -> int:
        """Send a signal to its process, and return how that ended."""
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(_STOPS_WITHIN_S)

    def last_lines(self) -> str:
        """Return what it said last."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-30:])

    async def _ready(self) -> None:
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5)) as session:

            async def answers() -> bool:
                assert self.process is not None
                assert self.process.poll() is None, f"ended with {self.process.returncode}:\n{self.last_lines()}"
                try:
                    async with session.get(f"{self.url}/readyz") as response:
                        return response.status == 200
                except (aiohttp.ClientError, TimeoutError):
                    await asyncio.sleep(0.2)
                    return False

            try:
                await until(answers, f"{self.served.name} is ready", _READY_S)
            except AssertionError as error:
                raise AssertionError(f"{error}\n{self.last_lines()}") from error


@contextmanager
def running(directory: Path, runtime: NodeRuntime, program: Path | None) -> Iterator[NodeUnderTest]:
    """Run one node beside the chain and the database of its mesh; `program` is Chainlink's."""
    solution = _solution(directory, runtime)
    config = OperatorConfig.of(Configuration(solution=solution))
    preparation = in_thread(prepare_nodes.prepare(config))
    run_dir = RunDir(solution.mesh.run_dir)
    environment = {"PATH": os.environ["PATH"], "HOME": str(directory), PROGRAM_VARIABLE: str(program or "")}
    served = service_of("node", INDEX, solution, directory / "configuration.json", run_dir, environment)
    # What `feedmesh serve` does before: the node reads the file from a place of its own.
    own = run_dir.own(served.name)
    own.mkdir(parents=True)
    shutil.copy(config.data.node(INDEX) / "config.toml", own / "config.toml")
    config.data.node_home(INDEX).mkdir(parents=True, exist_ok=True)
    database = Server(
        settings_in(open_directory(), port=solution.pg_port, pg_password=solution.pg_password.get_secret_value())
    )
    try:
        database.start()
        in_thread(provision(database.settings))
        with anvil(solution.mesh.devchain.port, "--block-time", "1"):
            node = NodeUnderTest(
                runtime,
                config,
                preparation.nodes[INDEX - 1],
                bootstrappers(preparation.identities, config.ports),
                served,
                directory / "node.log",
            )
            try:
                node.start()
                yield node
            finally:
                if node.process is not None and node.process.poll() is None:
                    node.process.kill()
                    node.process.wait()
    finally:
        database.remove()


def _solution(directory: Path, runtime: NodeRuntime) -> Solution:
    kept = {
        "pgPassword": secrets.token_hex(24),
        "chainlinkPassword": secrets.token_hex(16),
        "chainlinkKeystorePassword": secrets.token_hex(24),
        "faucetPrivateKey": "0x" + secrets.token_hex(32),
    }
    document: dict[str, Any] = document_for(
        directory / "data", directory / "run", 5, ("BTC / USD", "ETH / USD"), free_port_offset(), kept
    )
    document["mesh"]["runtime"] = runtime
    return Solution.model_validate(document)

"""A mesh in its container, and beside it, in the same network namespace, a chain and a market."""

import json
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cli.embedded import profile
from tests.image.podman import Container, run, wait_until

PRODUCT, DEVELOPMENT = "localhost/feedmesh:test", "localhost/feedmesh:dev"
FEEDS = ("BTC / USD", "ETH / USD", "EUR / USD")
SECRETS = {
    "pgPassword": "marked-secret-of-postgres-0001",
    "chainlinkPassword": "marked-secret-of-the-api-02",
    "chainlinkKeystorePassword": "marked-secret-of-the-keystore-03",
    "faucetPrivateKey": "0x" + "5ec4e7" * 10 + "0004",
}
# Two programs in one container, ended with it: the chain and the market are not what is tested here.
_OUTSIDE = """
import signal, subprocess, sys
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
chain = ["-m", "devkit.chain", "--port", "8545", "--chain-id", "1337", "--block-time", "1",
         "--state-dir", "/tmp/chain", "--fund", sys.argv[1] + "=10000000000000000000000"]
children = [subprocess.Popen([sys.executable, *words]) for words in (chain, ["-m", "devkit.market", "--port", "8600"])]
for child in children:
    child.wait()
"""


def start_outside() -> Container:
    """Start a chain and a market in a network namespace of their own."""
    from eth_account import Account  # it takes half a second, and most tests need none

    faucet = Account.from_key(SECRETS["faucetPrivateKey"]).address
    outside = run(DEVELOPMENT, "-c", _OUTSIDE, faucet, options=("--entrypoint", "python3"))
    asked = (
        "from urllib.request import urlopen; "
        "urlopen('http://127.0.0.1:8600/healthz'); urlopen('http://127.0.0.1:8545', b'{}')"
    )
    wait_until("chain and market answer", lambda: outside.exec("python3", "-c", asked, check=False).returncode == 0, 60)
    return outside


@dataclass(slots=True)
class Mesh:
    """The directories that a deployment mounts, and the container that runs on them."""

    sp: Path
    outside: Container
    container: Container | None = None

    @classmethod
    @contextmanager
    def below_a_new_directory(cls, outside: Container) -> Iterator["Mesh"]:
        """Give a mesh whose directories and container are removed afterwards."""
        sp = Path(tempfile.mkdtemp(prefix="feedmesh-sp-", dir="/var/tmp"))
        sp.chmod(0o755)
        mesh = cls(sp, outside)
        try:
            yield mesh
        finally:
            mesh.remove()
            shutil.rmtree(sp)

    @property
    def inside(self) -> Container:
        """Return the running container."""
        assert self.container is not None
        return self.container

    def configure(self, **changes: Any) -> None:
        """Write the deployment's configuration; `changes` replace keys of `solution.mesh`."""
        solution = profile.document_for(Path("/sp"), Path("/run/feedmesh"), 5, FEEDS, 0, dict(SECRETS))
        solution["mesh"]["devchain"] = solution["mesh"]["market"] = {"enabled": False}
        solution["maxRestarts"] = 3
        solution["mesh"] |= changes
        directory = self.sp / "configurations"
        directory.mkdir(parents=True, exist_ok=True)
        file = directory / "configuration.json"
        file.write_text(json.dumps({"solution": solution}))
        file.chmod(0o600)

    def start(self, *options: str, image: str = PRODUCT) -> float:
        """Start the container and return the moment of it."""
        started_s = time.monotonic()
        self.container = run(image, options=options, network=self.outside, volumes={self.sp: "/sp"})
        return started_s

    def until_healthy(self, timeout_s: float = 90) -> None:
        """Wait until every service is as it should be."""

        def all_well() -> bool:
            ran = self.inside.exec("feedmesh", "status", "--json", check=False)
            if ran.returncode != 0:
                return False
            states = {service["state"] for service in json.loads(ran.stdout)["services"]}
            return states <= {"healthy", "completed"}

        wait_until("all services are healthy", all_well, timeout_s, self.container)

    def rounds(self) -> dict[str, int]:
        """Return each feed's last round on chain; 0 before the first."""
        ran = self.inside.exec("feedmesh", "feeds", "--json", check=False)
        return (
            {feed["name"]: int(feed.get("round_id") or 0) for feed in json.loads(ran.stdout)}
            if ran.returncode == 0
            else {}
        )

    def until_rounds(self, more: int, timeout_s: float = 90) -> None:
        """Wait until every feed has had so many more rounds than now."""
        before = self.rounds()

        def enough() -> bool:
            now = self.rounds()
            return set(now) == set(FEEDS) and all(now[name] >= before.get(name, 0) + more for name in FEEDS)

        wait_until(f"{more} more rounds of every feed after {before}", enough, timeout_s, self.container)

    def link(self, name: str) -> str:
        """Return the state of a link of the verdict, `unknown` before there is one."""
        ran = self.inside.exec("feedmesh", "doctor", "--json", check=False)
        links = json.loads(ran.stdout)["links"] if ran.stdout else []
        return next((str(link["state"]) for link in links if link["name"] == name), "unknown")

    def services(self) -> dict[str, dict[str, Any]]:
        """Return the supervisor's view of every service by its name, whatever the verdict on the mesh is."""
        ran = self.inside.exec("feedmesh", "status", "--json", check=False)
        return {service["name"]: service for service in json.loads(ran.stdout)["services"]}

    def pid(self, service: str) -> int:
        """Return a service's process id inside the container."""
        return int(self.services()[service]["pid"])

    def command_of(self, service: str) -> list[str]:
        """Return the words that a service's process was started with."""
        return self.inside.exec("cat", f"/proc/{self.pid(service)}/cmdline").stdout.split("\0")

    def resident_mb(self, node: int) -> int:
        """Return how much memory a node's process has."""
        status = self.inside.exec("cat", f"/proc/{self.pid(f'chainlink-node-{node}')}/status").stdout
        return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS:"))) // 1024

    def until_replaced(self, service: str, pid: int) -> None:
        """Wait until another process has taken a killed one's place and is healthy."""

        def replaced() -> bool:
            found = self.services()[service]
            return found["pid"] not in (0, pid) and found["state"] == "healthy"

        wait_until(f"{service} is back", replaced, 60, self.container)

    def contracts(self) -> dict[str, str]:
        """Return each feed's contract."""
        return {feed["name"]: feed["address"] for feed in self.inside.json("feeds")}

    def stop(self, grace_s: int = 20) -> int:
        """Stop the container within its grace period and return its exit code; it is removed."""
        self.inside.stop(grace_s)
        code = int(self.inside.inspect("{{.State.ExitCode}}"))
        self.remove()
        return code

    def remove(self) -> None:
        """Remove the container, whatever it does."""
        if self.container is not None:
            self.container.remove()
            self.container = None


def identities(mesh: Mesh) -> Sequence[Any]:
    """Return the public keys and addresses of all nodes, as the operator tells them."""
    asked = (
        "import asyncio, json\n"
        "from google.protobuf.json_format import MessageToDict\n"
        "from feedmesh.operator.v1 import operator_service_pb2 as pb\n"
        "from feedmesh.operator.v1.operator_service_pb2_grpc import OperatorServiceStub\n"
        "from meshkit.rpc.client import channel\n"
        "from meshkit.paths import RunDir, default_run_dir\n"
        "async def main():\n"
        "    async with channel(RunDir(default_run_dir()).socket('operator')) as opened:\n"
        "        answer = await OperatorServiceStub(opened).ListNodes(pb.ListNodesRequest())\n"
        "        print(json.dumps([MessageToDict(node) for node in answer.nodes]))\n"
        "asyncio.run(main())\n"
    )
    found: Sequence[Any] = json.loads(mesh.inside.exec("python3", "-c", asked).stdout)
    return found

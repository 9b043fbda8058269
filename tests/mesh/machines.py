"""
A mesh on machines of their own: network namespaces joined by a bridge, one for each node and one for all the rest.

They are anonymous and the bridge is inside the one of the rest, so nothing of it is seen on the host, and all of it is
gone with the processes that hold the namespaces.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from cli.embedded import profile, timing
from meshkit.mutual_tls import peer_role
from meshkit.paths import DataDir, RunDir
from services.dbinit.bootstrap import bootstrap
from services.dbinit.cluster import server_launch
from services.dbinit.cluster.cluster import SUPERUSER
from services.dbinit.cluster.place import Place
from services.dbinit.config import Settings
from tests.certificate_authority import Authority

FEED = "BTC / USD"
NODES = range(1, 6)
REST = "10.77.0.1"
NETWORK = "10.77.0.0/24"
CHAIN_PORT, MARKET_PORT, POSTGRES_PORT = 8545, 8600, 5432
# As the kernel shows them: 127.0.0.1, that within IPv6, and ::1.
_LOOPBACK = ("0100007F", "01000000")
_TOOLS = ("ip", "nsenter", "unshare")


def missing() -> str:
    """Return why there can be no machines here, in words; nothing if there can."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    if absent := [tool for tool in _TOOLS if shutil.which(tool) is None]:
        return f"not on the PATH: {', '.join(absent)} (Debian: iproute2, util-linux)"
    tried = subprocess.run(["unshare", "-n", "true"], capture_output=True, text=True, check=False)
    return f"no network namespace can be made here: {tried.stderr.strip()}" if tried.returncode else ""


def host(node: int) -> str:
    """Return a node's address."""
    return f"10.77.0.{10 + node}"


class Machine:
    """A network namespace, held by a process that sleeps."""

    def __init__(self) -> None:
        # It says so once the namespace is there.
        self._holder = subprocess.Popen(
            ["unshare", "-n", "sh", "-c", "ip link set lo up && echo up && exec sleep infinity"], stdout=subprocess.PIPE
        )
        assert self._holder.stdout is not None
        assert self._holder.stdout.readline() == b"up\n"

    @property
    def pid(self) -> int:
        """Return the process that holds it."""
        return self._holder.pid

    def within(self, *command: str) -> list[str]:
        """Return the command that runs a command there."""
        return ["nsenter", f"--net=/proc/{self.pid}/ns/net", "--", *command]

    def ip(self, *words: str) -> None:
        """Change its network."""
        subprocess.run(self.within("ip", *words), check=True, capture_output=True)

    def ports_outside(self) -> set[int]:
        """Return the TCP ports that it listens at beyond loopback."""
        tables = [f"/proc/thread-self/net/{name}" for name in ("tcp", "tcp6")]
        shown = subprocess.run(self.within("cat", *tables), check=True, capture_output=True, text=True).stdout
        ends = [row[1].split(":") for row in map(str.split, shown.splitlines()) if row[3] == "0A"]
        return {int(port, 16) for address, port in ends if not address.endswith(_LOOPBACK)}

    def close(self) -> None:
        """Let it go."""
        self._holder.kill()
        self._holder.communicate()


class Machines:
    """The whole of it: `rest` has chain, market, PostgreSQL, aggregator and operator, and each node is alone."""

    def __init__(self, directory: Path, stack: ExitStack) -> None:
        self.directory = directory
        self._stack = stack
        self.authority = Authority()
        self.rest = self._machine()
        self.rest.ip("link", "add", "mesh", "type", "bridge")
        self.rest.ip("addr", "add", f"{REST}/24", "dev", "mesh")
        self.rest.ip("link", "set", "mesh", "up")
        self.nodes = {index: self._joined(index) for index in NODES}
        self.certificates = {
            role: self.authority.issue_role(directory / "tls" / role, role, address)
            for role, address in [
                (peer_role.AGGREGATOR, REST),
                (peer_role.OPERATOR, REST),
                *((peer_role.node(index), host(index)) for index in NODES),
            ]
        }
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        stack.callback(self._end)

    def _end(self) -> None:
        for process in self.processes.values():
            process.terminate()
        for process in self.processes.values():
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _machine(self) -> Machine:
        machine = Machine()
        self._stack.callback(machine.close)
        return machine

    def _joined(self, index: int) -> Machine:
        machine = self._machine()
        link = f"node{index}"
        self.rest.ip("link", "add", link, "type", "veth", "peer", "name", "eth0", "netns", str(machine.pid))
        self.rest.ip("link", "set", link, "master", "mesh", "up")
        machine.ip("addr", "add", f"{host(index)}/24", "dev", "eth0")
        machine.ip("link", "set", "eth0", "up")
        return machine

    def cut(self, index: int) -> None:
        """Take a node's cable out."""
        self.rest.ip("link", "set", f"node{index}", "down")

    def join(self, index: int) -> None:
        """Put it in again."""
        self.rest.ip("link", "set", f"node{index}", "up")

    def run_dir(self, name: str) -> RunDir:
        """Return the run directory of one service's machine."""
        return RunDir(self.directory / "run" / name)

    def start(self, name: str, machine: Machine, *command: str, **variables: str) -> None:
        """Start a program on a machine; all are stopped at the end, and killed if they do not stop."""
        log = self._stack.enter_context((self.directory / f"{name}.log").open("wb"))
        process = subprocess.Popen(
            machine.within(*command), env={**os.environ, **variables}, stdout=log, stderr=log, start_new_session=True
        )
        self.processes[name] = process

    def serve(self, *words: str) -> None:
        """Run `feedmesh serve` with the share, the certificate and the run directory of its machine."""
        name, machine = "-".join(words), self.rest if words[0] != "node" else self.nodes[int(words[1])]
        role = "/".join(words)
        self.start(
            name,
            machine,
            *(sys.executable, "-m", "cli", "serve", *words),
            *("--config", str(self.directory / "shares" / name / "configuration.json")),
            *("--run-dir", str(self.run_dir(name).path)),
            FEEDMESH_TLS_DIR=str(self.certificates[role]),
        )

    def command(self, *words: str) -> str:
        """Run a feedmesh command on the machine of the rest and return what it writes."""
        command = self.rest.within(sys.executable, "-m", "cli", *words)
        ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
        assert ran.returncode == 0, ran.stderr
        return ran.stdout

    def said(self) -> str:
        """Return the last lines of every log."""
        logs = sorted(self.directory.glob("*.log"))
        return "\n".join(f"== {log.name}\n{log.read_text(errors='replace')[-1500:]}" for log in logs)

    def set_up(self) -> None:
        """Start chain, market and PostgreSQL, prepare what each machine is given, and start every service."""
        url = self._postgres()
        path = self.directory / "configuration.json"
        path.write_text(json.dumps({"solution": self._solution(url)}))
        fund = json.loads(path.read_text())["solution"]["faucetPrivateKey"]
        self.start("market", self.rest, sys.executable, "-m", "devkit.market", "--port", str(MARKET_PORT))
        self._chain(fund)
        self.command("prepare", "--config", str(path), "--out", str(self.directory / "shares"))
        self.command("prepare", "--config", str(path), "--databases")
        self.serve("aggregator")
        self.serve("operator")
        for index in NODES:
            self.serve("node", str(index))

    def _chain(self, faucet_key: str) -> None:
        from eth_account import Account

        state = self.directory / "chain"
        options = {"--port": CHAIN_PORT, "--chain-id": profile.CHAIN_ID, "--block-time": 1, "--state-dir": state}
        words = [str(word) for option in options.items() for word in option]
        fund = f"{Account.from_key(faucet_key).address}={10**22}"
        self.start("chain", self.rest, sys.executable, "-m", "devkit.chain", *words, "--fund", fund)
        # A real chain is somewhere else, at https. This one has no TLS, without which nothing leaves a machine, so each
        # has a way to it on its own loopback; that is no part of the mesh.
        outside, loopback = f"{REST}:{CHAIN_PORT}", f"127.0.0.1:{CHAIN_PORT}"
        forward = (sys.executable, "-m", "tests.mesh.forward")
        self.start("chain-outside", self.rest, *forward, outside, loopback)
        for index, machine in self.nodes.items():
            self.start(f"chain-{index}", machine, *forward, loopback, outside)

    def _postgres(self) -> str:
        """Run a server of the kind that one has elsewhere: TLS only, passwords only; return its superuser's URL."""
        run_dir = self.run_dir("postgres")
        run_dir.path.mkdir(parents=True)
        place = Place(DataDir(self.directory / "database").postgres)
        settings = Settings(run_dir, place, POSTGRES_PORT, None, None, 200, True, "chainlink", len(NODES), "unused!")
        bootstrap(settings)
        launch = server_launch.read(run_dir)
        files = self.authority.issue(launch.data_directory.parent / "tls", hosts=(REST,))
        rules = files / "pg_hba.conf"
        rules.write_text(
            f"hostssl all {SUPERUSER} {NETWORK} scram-sha-256\nhostssl sameuser all {NETWORK} scram-sha-256\n"
        )
        if launch.identity is not None:
            for file in (files, *files.iterdir()):
                os.chown(file, launch.identity.uid, launch.identity.gid)
        more = {
            "listen_addresses": REST,
            "hba_file": str(rules),
            "ssl": "on",
            "ssl_cert_file": str(files / "tls.crt"),
            "ssl_key_file": str(files / "tls.key"),
        }
        with launch.settings_file.open("a") as settings_file:
            settings_file.writelines(f"{name} = '{value}'\n" for name, value in more.items())
        self.start(
            "postgres",
            self.rest,
            sys.executable,
            "-m",
            "services.dbinit",
            "postgres",
            FEEDMESH_RUN_DIR=str(run_dir.path),
        )
        password = place.superuser_password.read_text().strip()
        root = self.directory / "ca.crt"
        root.write_bytes(self.authority.pem)
        return f"postgresql://{SUPERUSER}:{password}@{REST}/postgres?sslmode=verify-full&sslrootcert={root}"

    def _solution(self, url: str) -> dict[str, Any]:
        secrets = {name: make() for name, make in profile._SECRETS.items()}
        data = self.directory / "data"
        solution = profile.document_for(data, self.run_dir("none").path, len(NODES), [FEED], 0, secrets)
        mesh = solution["mesh"]
        del mesh["devchain"], mesh["market"]
        mesh["postgres"] = {"url": url}
        mesh["ocr"] = timing.ocr(1)
        mesh["network"] = {
            "listenAddress": "0.0.0.0",
            "tlsDirectory": "/etc/feedmesh/tls",
            "aggregatorHost": REST,
            "operatorHost": REST,
            "nodeHosts": [host(index) for index in NODES],
        }
        return solution


@contextmanager
def machines() -> Iterator[Machines]:
    """Give machines, not set up yet; nothing of them is left at the end."""
    directory = Path(tempfile.mkdtemp(prefix="fm", dir="/tmp"))
    directory.chmod(0o755)
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, directory)
        yield Machines(directory, stack)

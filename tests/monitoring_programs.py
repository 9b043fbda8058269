"""Prometheus, Pushgateway and VictoriaMetrics as Debian packages them, run on loopback ports."""

import os
import shutil
import signal
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from aiohttp.test_utils import unused_port

SCRIPT = Path(__file__).parents[1] / "scripts" / "monitoring_programs"


def program(name: str) -> str:
    """Return the path of a program, from the PATH or the cache; skip the test where there is none."""
    cache = Path(subprocess.run([SCRIPT, "--where"], check=True, capture_output=True, text=True).stdout.strip())
    found = shutil.which(name) or shutil.which(name, path=str(cache))
    if found is None:
        pytest.skip(f"no {name} on the PATH or in the cache: make monitoring-programs fetches Debian's package")
    return found


@dataclass
class Server:
    """A program that listens on a port; `ready` is the path that answers 200 when it does."""

    command: list[str]
    port: int
    ready: str
    scheme: str = "http"
    directory: Path = Path("/")
    process: subprocess.Popen[bytes] | None = field(default=None, init=False)

    @property
    def url(self) -> str:
        """Return its address."""
        return f"{self.scheme}://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Run it, and wait until it answers."""
        log = self.directory / "log"
        with log.open("ab") as output:
            self.process = subprocess.Popen(self.command, cwd=self.directory, stdout=output, stderr=output)
        deadline = time.monotonic() + 60
        while not self._answers():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"{self.command[0]} did not start: {log.read_text()[-2000:]}")
            time.sleep(0.02)

    def stop(self) -> None:
        """Kill it, as a machine that is lost would."""
        if self.process is not None:
            self.process.send_signal(signal.SIGCONT)
            self.process.kill()
            self.process.wait()
            self.process = None

    def hold(self) -> None:
        """Let it take connections and answer none."""
        assert self.process is not None
        os.kill(self.process.pid, signal.SIGSTOP)

    def release(self) -> None:
        """Let it answer again."""
        assert self.process is not None
        os.kill(self.process.pid, signal.SIGCONT)

    def _answers(self) -> bool:
        # Where it wants credentials it answers 401, and listens too.
        insecure = ssl._create_unverified_context()
        try:
            with urllib.request.urlopen(self.url + self.ready, timeout=5, context=insecure) as answer:
                return bool(answer.status == 200)
        except urllib.error.HTTPError as error:
            return error.code == 401
        except OSError:
            return False


def victoria_metrics(directory: Path, *options: str, scheme: str = "http", memory: str = "64MB") -> Server:
    """Return a VictoriaMetrics that keeps its data there, and takes no more memory for its caches and queries."""
    port = unused_port()
    command = [
        program("victoria-metrics"),
        f"-storageDataPath={directory / 'data'}",
        f"-httpListenAddr=127.0.0.1:{port}",
        "-search.latencyOffset=0s",
        f"-memory.allowedBytes={memory}",
        "-retentionPeriod=100y",
        *options,
    ]
    directory.mkdir(parents=True, exist_ok=True)
    return Server(command, port, "/health", scheme, directory)


def pushgateway(directory: Path, *options: str, scheme: str = "http") -> Server:
    """Return a Pushgateway without a memory of its own."""
    port = unused_port()
    directory.mkdir(parents=True, exist_ok=True)
    command = [program("prometheus-pushgateway"), f"--web.listen-address=127.0.0.1:{port}", *options]
    return Server(command, port, "/-/ready", scheme, directory)


def prometheus(directory: Path, *options: str, configuration: str = "scrape_configs: []\n") -> Server:
    """Return a Prometheus that takes remote writes, and scrapes nothing unless its configuration says so."""
    port = unused_port()
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "prometheus.yml").write_text(configuration)
    command = [
        program("prometheus"),
        f"--config.file={directory / 'prometheus.yml'}",
        f"--storage.tsdb.path={directory / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--web.enable-remote-write-receiver",
        *options,
    ]
    return Server(command, port, "/-/ready", "http", directory)

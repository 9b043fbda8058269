"""Processes of a bench, each on a core of its own."""

import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from types import FrameType

import psutil

SERVER_CORE, LOAD_CORE = 0, 1
_START_S = 60.0
# What was started has so long to stop by itself once a bench is told to end.
STOP_S = 30.0


@contextmanager
def pinned(core: int) -> Iterator[None]:
    """Run on one core; what is started meanwhile stays there. On a machine of one core everything shares it."""
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {sorted(allowed)[core % len(allowed)]})
    try:
        yield
    finally:
        os.sched_setaffinity(0, allowed)


@contextmanager
def ended_by_sigterm() -> Iterator[None]:
    """Let a SIGTERM end what runs as Ctrl-C does; what is left of all that was started is killed in the end."""
    started: list[psutil.Process] = []

    def end(_number: int, _frame: FrameType | None) -> None:
        # Once is enough: the way out must not be cut short.
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        # Those whose parent ends first would be found no more.
        started.extend(psutil.Process().children(recursive=True))
        signal.setitimer(signal.ITIMER_REAL, STOP_S)
        raise SystemExit(128 + signal.SIGTERM)

    def kill(*_arguments: object) -> None:
        # A pool may have put another process in the place of one that ended.
        for process in (*started, *(psutil.Process().children(recursive=True) if started else ())):
            with suppress(psutil.NoSuchProcess):
                process.kill()

    before, before_alarm = signal.signal(signal.SIGTERM, end), signal.signal(signal.SIGALRM, kill)
    try:
        yield
    finally:
        kill()
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGTERM, before)
        signal.signal(signal.SIGALRM, before_alarm)


@dataclass(frozen=True, slots=True)
class Server:
    """Hold a running HTTP server and the seconds from its start to its first good answer."""

    url: str
    process: psutil.Process
    start_s: float

    def cpu_s(self) -> float:
        """Return the seconds of processor time used so far."""
        times = self.process.cpu_times()
        return float(times.user + times.system)

    def rss_mb(self) -> float:
        """Return the resident memory in millions of bytes."""
        return float(self.process.memory_info().rss) / 1e6

    def uss_mb(self) -> float:
        """Return the memory that no other process shares, in millions of bytes."""
        return float(self.process.memory_full_info().uss) / 1e6


@contextmanager
def serving(
    *arguments: str, port: int, core: int, environment: Mapping[str, str] | None = None, path: str = "/"
) -> Iterator[Server]:
    """Give `python -m arguments…` from its first HTTP 200 at `path` on; it is ended afterwards."""
    started_at = time.monotonic()
    with tempfile.TemporaryFile() as log:
        with pinned(core):
            process = subprocess.Popen(
                [sys.executable, "-m", *arguments], env={**os.environ, **(environment or {})}, stdout=log
            )
        try:
            url = f"http://127.0.0.1:{port}"
            while not answers(url + path):
                if process.poll() is not None:
                    log.seek(0)
                    last = log.read().decode().splitlines()[-1:]
                    raise RuntimeError(f"{' '.join(arguments)} ended with {process.returncode}: {last}")
                if time.monotonic() - started_at > _START_S:
                    raise RuntimeError(f"{' '.join(arguments)} did not answer within {_START_S:.0f} s")
                time.sleep(0.01)
            yield Server(url, psutil.Process(process.pid), time.monotonic() - started_at)
        finally:
            process.terminate()
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def fetch(url: str, body: bytes | None = None, timeout_s: float = 60) -> bytes:
    """Return the body of an answer with status 200; raise OSError for anything else."""
    request = urllib.request.Request(url, data=body)
    with urllib.request.urlopen(request, timeout=timeout_s) as response:
        data: bytes = response.read()
        return data


def answers(url: str) -> bool:
    """Tell whether a GET is answered with 200."""
    try:
        fetch(url, timeout_s=5)
    except (urllib.error.URLError, OSError):
        return False
    return True

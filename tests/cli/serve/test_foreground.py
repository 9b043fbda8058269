"""`feedmesh serve`: a real service alone, from its start to its exit code."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import psutil
import pytest

from cli import health
from cli.serve import foreground, verdict
from cli.serve.served_service import HttpQuestion, ServedService
from meshkit.paths import RunDir
from tests.certificate_authority import Authority
from tests.cli.serve import spread_out
from tests.waiting import until

SLEEPER = (
    "import signal, sys, time; signal.signal(15, lambda *_: sys.exit({code})); print('up', flush=True); time.sleep(60)"
)


def service(tmp_path: Path, program: str, grace_s: float = 30.0) -> ServedService:
    """Return a service that is a program of Python."""
    return ServedService(
        "aggregator", "aggregator", (sys.executable, "-c", program), {}, HttpQuestion(1, "/health"), grace_s=grace_s
    )


@asynccontextmanager
async def running(given: ServedService) -> AsyncIterator[tuple["asyncio.Task[int]", asyncio.Event, asyncio.Event]]:
    """Run a service in the background; give its end and what stops it."""
    stopping, hurrying = asyncio.Event(), asyncio.Event()
    task = asyncio.create_task(foreground._run(given, stopping, hurrying))
    try:
        yield task, stopping, hurrying
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.mark.parametrize(
    ("program", "code"), [("", 0), ("raise SystemExit(7)", 7), ("import os; os.kill(os.getpid(), 9)", 137)]
)
async def test_its_exit_code_is_ours(tmp_path: Path, program: str, code: int) -> None:
    """A service that ends by itself gives its exit code, one that a signal killed 128 and the signal's number."""
    async with running(service(tmp_path, program)) as (task, _, _):
        assert code == await task


@pytest.mark.parametrize("code", [0, 3])
async def test_a_signal_is_handed_on(tmp_path: Path, code: int) -> None:
    """Asked to stop, it hands SIGTERM on, waits, and gives the exit code of the stop."""
    up = tmp_path / "up"
    program = SLEEPER.format(code=code).replace("print('up', flush=True)", f"open({str(up)!r}, 'w')")
    async with running(service(tmp_path, program)) as (task, stopping, _):
        await until(up.exists)
        stopping.set()
        assert code == await task


async def test_what_does_not_stop_is_killed(tmp_path: Path) -> None:
    """A service that ignores SIGTERM is killed when its time is over, or at once with a second signal."""
    up = tmp_path / "up"
    program = f"import signal, time; signal.signal(15, signal.SIG_IGN); open({str(up)!r}, 'w'); time.sleep(60)"
    for grace_s, hurried in ((0.0, False), (60.0, True)):
        up.unlink(missing_ok=True)
        async with running(service(tmp_path, program, grace_s)) as (task, stopping, hurrying):
            await until(up.exists)
            stopping.set()
            if hurried:
                hurrying.set()
            assert await task == 137


@asynccontextmanager
async def served(path: Path, *words: str, **variables: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run the command itself."""
    command = (sys.executable, "-m", "cli", "serve", *words, "--config", str(path))
    process = await asyncio.create_subprocess_exec(
        *command, env={**os.environ, **variables}, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def verdict_of(run_dir: RunDir) -> Callable[[], bool]:
    """Return what tells whether the health check finds a verdict."""
    return lambda: run_dir.verdict.exists() and bool(health.read(run_dir.verdict, 0).words)


async def test_the_aggregator_alone(run_dir: Path) -> None:
    """It serves with its share of the configuration, is judged for probes, and stops with 0; so ends its verdict."""
    authority = Authority()
    authority.issue_role(run_dir / "tls", "aggregator")
    port = {"listenAddress": "127.0.0.1", "ports": {"aggregatorHttps": 13443, "aggregatorGrpc": 17001}}
    document = spread_out.document(run_dir)
    document["solution"]["mesh"]["network"] |= port
    # No provider is there to be asked: the aggregator lives, and says that it has no price.
    document["solution"]["priceAggregatorConfig"] = {"port": 13000, "sources": {}}
    path = run_dir / "configuration.json"
    path.write_text(json.dumps(document))
    place = RunDir(run_dir / "run")
    async with asyncio.timeout(90), served(path, "aggregator") as process:
        await until(place.socket("aggregator").exists)
        await until(verdict_of(place))
        found = json.loads(place.verdict.read_bytes())
        assert found["words"].startswith("price-aggregator is")
        # It answers a moment before it listens for signals.
        await until(lambda: all(map(_is_caught, psutil.Process(process.pid).children())))
        process.send_signal(signal.SIGTERM)
        output, _ = await process.communicate()
        assert 0 == process.returncode, output.decode()
    assert not place.verdict.exists()


def _is_caught(process: psutil.Process) -> bool:
    """Tell whether a process has a handler of its own for SIGTERM."""
    lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
    caught = next(line.split()[1] for line in lines if line.startswith("SigCgt:"))
    return bool(int(caught, 16) >> (signal.SIGTERM - 1) & 1)


async def test_without_the_right_certificate_nothing_starts(run_dir: Path) -> None:
    """A service with another's certificate, or none, ends at once with 1 and one line that says what is needed."""
    path = spread_out.write(run_dir)
    async with asyncio.timeout(60), served(path, "aggregator") as process:
        output, _ = await process.communicate()
    assert process.returncode == 1
    assert "tls.key" in output.decode() or "ca.crt: cannot be read" in output.decode()
    Authority().issue_role(run_dir / "tls", "node/3")
    async with asyncio.timeout(60), served(path, "operator") as process:
        output, _ = await process.communicate()
    assert process.returncode == 1
    assert "is of spiffe://feedmesh/node/3; allowed: one of spiffe://feedmesh/operator" in output.decode()


async def test_the_question_of_a_service(run_dir: Path) -> None:
    """What gives no answer, another answer than 200, or no socket, is told in words."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 503 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        assert "/readyz answers 503" == await verdict.ask(HttpQuestion(port, "/readyz"))
    refused = f"/readyz gives no answer (no connection to 127.0.0.1:{port}: Connection refused)"
    assert refused == await verdict.ask(HttpQuestion(port, "/readyz"))

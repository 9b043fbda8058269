"""The load: wrk where it is installed, else a slower generator of ours."""

import asyncio
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import typer
import uvloop

from tests.bench.process import LOAD_CORE, pinned

CAVEAT = (
    "wrk is not on the PATH (Debian: apt-get install wrk): a Python generator is used, which is slower than what it "
    "measures, so rates are its own limit and ratios are pulled towards 1"
)
_LUA = """
wrk.method = %s
wrk.body = %s
done = function(summary, latency, requests)
  io.write(string.format('{"requests":%%d,"us":%%d,"p50":%%f,"p99":%%f,"errors":%%d}\\n', summary.requests,
    summary.duration, latency:percentile(50), latency:percentile(99),
    summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.status
    + summary.errors.timeout))
end
"""


@dataclass(frozen=True, slots=True)
class Rate:
    """Hold what one run of load measured; `requests` and `seconds` are its total and how long it took."""

    requests: int
    seconds: float
    p50_ms: float
    p99_ms: float
    errors: int


def has_wrk() -> bool:
    """Tell whether wrk is installed."""
    return shutil.which("wrk") is not None


def press(url: str, *, connections: int, seconds: float, body: bytes = b"") -> Rate:
    """Ask as fast as answers come over so many connections from the load core; with a body the method is POST."""
    if has_wrk():
        command, script = ["wrk", "-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s"], _lua(body)
    else:
        command, script = [sys.executable, "-m", "tests.bench.load", str(connections), str(seconds)], body.decode()
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as file, pinned(LOAD_CORE):
        Path(file.name).write_text(script)
        command += ["-s", file.name, url] if has_wrk() else [file.name, url]
        run = subprocess.run(command, capture_output=True, text=True, check=True)
    said = json.loads(run.stdout.splitlines()[-1])
    return Rate(said["requests"], said["us"] / 1e6, said["p50"] / 1000, said["p99"] / 1000, said["errors"])


def _lua(body: bytes) -> str:
    # A JSON text of printable ASCII is a Lua string too.
    return _LUA % (json.dumps("POST" if body else "GET"), json.dumps(body.decode()) if body else "nil")


async def _client(url: str, body: bytes, ends_at: float, times_s: list[float]) -> int:
    parts = urlsplit(url)
    target = parts.path + (f"?{parts.query}" if parts.query else "")
    head = (
        f"{'POST' if body else 'GET'} {target} HTTP/1.1\r\nHost: {parts.netloc}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    request, errors = head.encode() + body, 0
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port, limit=1 << 20)
    while (started_at := time.monotonic()) < ends_at:
        writer.write(request)
        headers = (await reader.readuntil(b"\r\n\r\n")).lower()
        length = headers.partition(b"content-length:")[2].partition(b"\r\n")[0]
        await reader.readexactly(int(length))
        errors += not headers.startswith(b"http/1.1 200")
        times_s.append(time.monotonic() - started_at)
    writer.close()
    return errors


async def _generate(url: str, body: bytes, connections: int, seconds: float) -> None:
    times_s: list[float] = []
    started_at = time.monotonic()
    clients = (_client(url, body, started_at + seconds, times_s) for _ in range(connections))
    errors = sum(await asyncio.gather(*clients))
    cuts = statistics.quantiles(times_s, n=100)
    said = {"requests": len(times_s), "us": (time.monotonic() - started_at) * 1e6, "errors": errors}
    print(json.dumps({**said, "p50": cuts[49] * 1e6, "p99": cuts[98] * 1e6}))


def main(
    connections: int, seconds: float, body_file: Annotated[Path, typer.Argument(help="empty for GET")], url: str
) -> None:
    """Generate load without wrk."""
    uvloop.run(_generate(url, body_file.read_bytes(), connections, seconds))


if __name__ == "__main__":
    typer.run(main)

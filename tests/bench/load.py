"""The load: wrk where it is installed, else a slower generator of ours."""

import asyncio
import json
import random
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
# What a body has in this place is another number in each request.
CHANGING = b"<number>"
_VARIATIONS = 10_000
_LUA = """
local asked, count, body = {}, 0, %s
function init()
  math.randomseed(1)
  for number = 1, body and %d or 1 do
    local said = body and body:gsub(%s, tostring(1000000 + number * 7919))
    asked[number] = wrk.format(%s, nil, nil, said)
  end
end
function request()
  count = count %% #asked + 1
  return asked[count]
end
%s
done = function(summary, latency, requests)
  io.write(string.format('{"requests":%%d,"us":%%d,"p50":%%f,"p99":%%f,"errors":%%d}\\n', summary.requests,
    summary.duration, latency:percentile(50), latency:percentile(99),
    summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.status
    + summary.errors.timeout))
end
"""
# Each connection waits for another while before each request, so that they do not all ask at once.
_LUA_PACE = "function delay() return math.random(0, %d) end"


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


def press(url: str, *, connections: int, seconds: float, body: bytes = b"", rate: float | None = None) -> Rate:
    """
    Ask over so many connections from the load core: as fast as answers come, or about `rate` requests a second.

    With a body the method is POST; where `CHANGING` stands in it, each request has another number.
    """
    if has_wrk():
        command, script = (
            ["wrk", "-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s"],
            _lua(body, connections, rate),
        )
    else:
        command = [sys.executable, "-m", "tests.bench.load", str(connections), str(seconds), str(rate or 0)]
        script = body.decode()
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as file, pinned(LOAD_CORE):
        Path(file.name).write_text(script)
        command += ["-s", file.name, url] if has_wrk() else [file.name, url]
        run = subprocess.run(command, capture_output=True, text=True, check=True)
    said = json.loads(run.stdout.splitlines()[-1])
    return Rate(said["requests"], said["us"] / 1e6, said["p50"] / 1000, said["p99"] / 1000, said["errors"])


def _lua(body: bytes, connections: int, rate: float | None) -> str:
    # A JSON text of printable ASCII is a Lua string too.
    pace = "" if rate is None else _LUA_PACE % round(2 * 1000 * connections / rate)
    text = json.dumps(body.decode()) if body else "nil"
    return _LUA % (text, _VARIATIONS, json.dumps(CHANGING.decode()), json.dumps("POST" if body else "GET"), pace)


async def _client(url: str, body: bytes, ends_at: float, longest_wait_s: float, times_s: list[float]) -> int:
    parts = urlsplit(url)
    target = parts.path + (f"?{parts.query}" if parts.query else "")
    head = f"{'POST' if body else 'GET'} {target} HTTP/1.1\r\nHost: {parts.netloc}\r\n"
    errors = 0
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port, limit=1 << 20)
    while time.monotonic() < ends_at:
        if longest_wait_s:
            await asyncio.sleep(random.uniform(0, longest_wait_s))
        said = body.replace(CHANGING, b"%d" % (1_000_000 + 7_919 * len(times_s)))
        length_line = f"Content-Length: {len(said)}\r\n" if body else ""
        started_at = time.monotonic()
        writer.write(f"{head}{length_line}\r\n".encode() + said)
        headers = (await reader.readuntil(b"\r\n\r\n")).lower()
        length = headers.partition(b"content-length:")[2].partition(b"\r\n")[0]
        await reader.readexactly(int(length))
        errors += not headers.startswith(b"http/1.1 200")
        times_s.append(time.monotonic() - started_at)
    writer.close()
    return errors


async def _generate(url: str, body: bytes, connections: int, seconds: float, rate: float) -> None:
    times_s: list[float] = []
    started_at = time.monotonic()
    wait_s = 2 * connections / rate if rate else 0.0
    clients = (_client(url, body, started_at + seconds, wait_s, times_s) for _ in range(connections))
    errors = sum(await asyncio.gather(*clients))
    cuts = statistics.quantiles(times_s, n=100)
    said = {"requests": len(times_s), "us": (time.monotonic() - started_at) * 1e6, "errors": errors}
    print(json.dumps({**said, "p50": cuts[49] * 1e6, "p99": cuts[98] * 1e6}))


def main(
    connections: int,
    seconds: float,
    rate: Annotated[float, typer.Argument(help="requests a second, 0 for as many as come")],
    body_file: Annotated[Path, typer.Argument(help="empty for GET")],
    url: str,
) -> None:
    """Generate load without wrk."""
    uvloop.run(_generate(url, body_file.read_bytes(), connections, seconds, rate))


if __name__ == "__main__":
    typer.run(main)

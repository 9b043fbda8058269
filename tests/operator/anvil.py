"""A real anvil for tests: started on a free port, stopped with its block."""

import shutil
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import orjson
from eth_account import Account

CHAIN_ID = 1337
FAUCET_KEY = "0x" + "ab" * 32
_PINNED = Path("node_modules/@foundry-rs/anvil-linux-amd64/bin/anvil")
_START_S = 20.0


@dataclass(frozen=True)
class Anvil:
    """A running chain."""

    url: str
    port: int
    process: "subprocess.Popen[bytes]"

    @property
    def faucet(self) -> str:
        return str(Account.from_key(FAUCET_KEY).address)

    async def call(self, method: str, *params: Any) -> Any:
        """Call a method, also anvil's own, and return its result."""
        request = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        async with aiohttp.ClientSession() as session, session.post(self.url, json=request) as response:
            answer = await response.json()
        assert "error" not in answer, answer
        return answer["result"]

    async def fund(self) -> None:
        """Give the faucet more than any test spends."""
        await self.call("anvil_setBalance", self.faucet, hex(10**24))


@contextmanager
def start(port: int, *options: str) -> Iterator[Anvil]:
    """Run anvil until the block ends; it answers when the block begins."""
    program = str(_PINNED) if _PINNED.exists() else shutil.which("anvil")
    assert program is not None, "anvil is neither in node_modules nor on the PATH"
    command = [program, "--port", str(port), "--chain-id", str(CHAIN_ID), "--accounts", "1", "--silent", *options]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            anvil = Anvil(f"http://127.0.0.1:{port}", port, process)
            _await_answer(anvil)
            yield anvil
        finally:
            process.kill()


def _await_answer(anvil: Anvil) -> None:
    body = orjson.dumps({"jsonrpc": "2.0", "id": 1, "method": "eth_chainId", "params": []})
    request = urllib.request.Request(anvil.url, body, {"Content-Type": "application/json"})
    deadline = time.monotonic() + _START_S
    while True:
        try:
            with urllib.request.urlopen(request, timeout=1) as response:
                assert response.status == 200
                return
        except OSError:
            assert anvil.process.poll() is None, f"anvil exited with {anvil.process.returncode}"
            assert time.monotonic() < deadline, "anvil does not answer"
            time.sleep(0.05)

"""One anvil process."""

from __future__ import annotations

import asyncio
import os
import signal
from asyncio.subprocess import DEVNULL, PIPE, STDOUT, Process
from collections import deque
from pathlib import Path

from devkit.chain.config import ChainConfig
from devkit.chain.errors import AnvilNotReady, RpcFailed
from devkit.chain.rpc import Rpc
from meshkit.log import get_logger
from meshkit.process import exec_shim

_log = get_logger(__name__)

READY_WITHIN_S = 60.0
STOP_WITHIN_S = 5.0
# Calls may look back this many blocks; blocks, logs and receipts are kept without limit. Each state kept holds the hash
# of every block, so that memory would grow by 40 KB a block with 256 of them.
STATES_KEPT = 8
# The last one before blocks wrote into contracts of the chain's own (EIP-4788, EIP-2935): those 16,000 storage slots
# make every state, and with it every block, a hundred times dearer.
HARDFORK = "shanghai"
# Fifty deployments of a feed's contract fit into one block.
BLOCK_GAS = 250_000_000


def command_line(binary: Path, config: ChainConfig, state: Path | None, time_s: int | None) -> list[str]:
    """
    Return the command that runs anvil on 127.0.0.1, without known accounts and not mining yet.

    `state` is the plain JSON of a snapshot; `time_s` the time of its last block, or of a genesis block without a state.
    """
    command = [
        *(str(binary), "--host", "127.0.0.1", "--port", str(config.port), "--quiet", "--no-cors"),
        *("--chain-id", str(config.chain_id), "--no-mining", "--order", "fifo", "--gas-limit", str(BLOCK_GAS)),
        *("--accounts", "0", "--hardfork", HARDFORK, "--prune-history", str(STATES_KEPT)),
    ]
    if state is not None:
        command += ["--load-state", str(state)]
    if time_s is not None:
        command += ["--timestamp", str(time_s)]
    return command


class Anvil:
    """A running anvil; dies with this process."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._words: deque[str] = deque(maxlen=10)
        self._reader = asyncio.create_task(self._read())

    @classmethod
    async def start(cls, command: list[str], home: Path) -> Anvil:
        """Start the command in a session of its own: a terminal's Ctrl-C would end it before the last snapshot."""
        tied = exec_shim.command(command, death=signal.SIGKILL)
        environment = {"PATH": os.environ.get("PATH", os.defpath), "HOME": str(home)}
        process = await asyncio.create_subprocess_exec(
            *tied, stdin=DEVNULL, stdout=PIPE, stderr=STDOUT, env=environment, start_new_session=True
        )
        return cls(process)

    @property
    def pid(self) -> int:
        """Return the process id."""
        return self._process.pid

    async def wait_ready(self, rpc: Rpc, chain_id: int) -> None:
        """Return once our chain answers; raises `AnvilNotReady`."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + READY_WITHIN_S
        while self._process.returncode is None and loop.time() < deadline:
            try:
                if await rpc.chain_id() == chain_id and self._process.returncode is None:
                    return
            except RpcFailed:
                await asyncio.sleep(0.02)
        if self._process.returncode is not None:
            await self._reader
        raise AnvilNotReady(self._process.returncode, READY_WITHIN_S, " ".join(self._words))

    async def wait(self) -> int:
        """Return the exit code once anvil has ended: 128 + n for signal n, as shells do."""
        code = await self._process.wait()
        return code if code >= 0 else 128 - code

    async def stop(self) -> None:
        """End anvil, by force if it does not go."""
        if self._process.returncode is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                await asyncio.wait_for(self._process.wait(), STOP_WITHIN_S)
            except TimeoutError:
                self._process.kill()
                await self._process.wait()
        await self._reader

    async def _read(self) -> None:
        """Log what anvil says, which is little, and remember the last of it for an error."""
        assert self._process.stdout is not None
        async for raw in self._process.stdout:
            line = raw.decode(errors="replace").strip()
            if line:
                self._words.append(line)
                _log.info("anvil_output", line=line)

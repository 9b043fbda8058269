"""
The development chain's life: start from the newest usable snapshot, fund, follow, stop with a last snapshot.

    live ── start ──▶ prepare ──▶ ┌ anvil.wait   anvil ended: its exit code is ours
                                  └ follow       new blocks ▶ schedule ▶ snapshot
    cancel (a signal) ──▶ last snapshot ──▶ anvil.stop

There are two tasks, `live` and `follow`; `follow` is over before the last snapshot begins, so snapshots never overlap.
Anvil is stopped on every way out, and by the kernel if this process is killed.
"""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

from devkit.chain.anvil import Anvil, command_line
from devkit.chain.config import ChainConfig
from devkit.chain.errors import AnvilNotReady, PortTaken, RpcFailed, SnapshotUnreadable
from devkit.chain.rpc import Rpc
from devkit.chain.schedule import Schedule
from devkit.chain.snapshots import Snapshots
from meshkit.clock import Clock
from meshkit.log import get_logger

log = get_logger(__name__)

POLL_S = 0.25
SNAPSHOT_WITHIN_S = 120.0
# Whoever stops us has little patience, and the state of a second ago is on disk already.
LAST_SNAPSHOT_WITHIN_S = 8.0


class DevChain:
    """Run anvil so that a killed process loses at most about a second of transactions."""

    def __init__(self, config: ChainConfig, binary: Path, clock: Clock) -> None:
        self._config = config
        self._binary = binary
        self._clock = clock
        self._snapshots = Snapshots(config.state_dir)
        self._schedule = Schedule()
        self._seen = 0

    async def live(self) -> int:
        """Run until anvil ends and return its exit code; when cancelled, snapshot and stop anvil first."""
        _require_free(self._config.port)
        async with Rpc(self._config.port) as rpc:
            anvil = await self._start(rpc)
            try:
                await self._prepare(rpc)
                log.info("chain_ready", port=self._config.port, height=self._seen, anvil_pid=anvil.pid)
                return await self._until_anvil_ends(anvil, rpc)
            except asyncio.CancelledError:
                await self._snapshot(rpc, LAST_SNAPSHOT_WITHIN_S)
                raise
            finally:
                await anvil.stop()

    async def _until_anvil_ends(self, anvil: Anvil, rpc: Rpc) -> int:
        follower = asyncio.create_task(self._follow(rpc))
        ended = asyncio.create_task(anvil.wait())
        try:
            await asyncio.wait({follower, ended}, return_when=asyncio.FIRST_COMPLETED)
            if not ended.done():
                # Following never ends by itself: this raises what broke it.
                await follower
            code = await ended
            log.error("anvil_ended", exit_code=code)
            return code
        finally:
            follower.cancel()
            ended.cancel()
            await asyncio.gather(follower, ended, return_exceptions=True)

    async def _start(self, rpc: Rpc) -> Anvil:
        """Start from the newest snapshot that anvil takes, at last from nothing."""
        unusable: list[Path] = []
        for snapshot in [*self._snapshots.newest_first(), None]:
            try:
                state = None if snapshot is None else self._snapshots.unpack(snapshot)
                anvil = await self._start_from(state, rpc)
            except (SnapshotUnreadable, AnvilNotReady) as error:
                if snapshot is None:
                    raise
                log.error("snapshot_unusable", snapshot=str(snapshot), error=str(error))
                unusable.append(snapshot)
                continue
            finally:
                self._snapshots.discard_unpacked()
            # Only now: had anvil failed for another reason, it would have failed here too.
            for path in unusable:
                self._snapshots.set_aside(path)
            if snapshot is not None:
                log.info("snapshot_restored", snapshot=snapshot.name)
            elif unusable:
                log.error("chain_lost", reason="no snapshot is usable; the chain starts empty")
            return anvil
        raise AssertionError("the last candidate returns or raises")

    async def _start_from(self, state: Path | None, rpc: Rpc) -> Anvil:
        anvil = await Anvil.start(command_line(self._binary, self._config, state), self._config.state_dir)
        try:
            await anvil.wait_ready(rpc, self._config.chain_id)
        except BaseException:
            await anvil.stop()
            raise
        return anvil

    async def _prepare(self, rpc: Rpc) -> None:
        """Bring the chain to the height it had, so that nobody's last seen block lies in the future, and fund."""
        height = await rpc.height()
        lost = self._snapshots.height() - height if self._snapshots.newest_first() else 0
        if lost > 0:
            await rpc.mine(lost)
            log.warning("blocks_replaced", first=height + 1, last=height + lost)
        self._seen = await rpc.height()
        for funding in self._config.funds:
            balance = await rpc.balance(funding.address)
            if balance < funding.wei:
                await rpc.set_balance(funding.address, funding.wei)
                self._schedule.changed()
                log.info("account_funded", address=funding.address, wei=str(funding.wei))

    async def _follow(self, rpc: Rpc) -> None:
        while True:
            try:
                await self._look(rpc)
            except RpcFailed as error:
                log.warning("chain_unanswered", error=str(error))
            await self._clock.sleep(POLL_S)

    async def _look(self, rpc: Rpc) -> None:
        height = await rpc.height()
        for block in range(self._seen + 1, height + 1):
            self._schedule.saw_block(await rpc.transactions_in(block))
            self._seen = block
        self._snapshots.note_height(height)
        if self._schedule.is_due(self._clock.monotonic()):
            await self._snapshot(rpc, SNAPSHOT_WITHIN_S)

    async def _snapshot(self, rpc: Rpc, timeout_s: float) -> None:
        started_s = self._clock.monotonic()
        try:
            state = await rpc.dump_state(timeout_s)
            self._snapshots.write(state)
        except (RpcFailed, OSError) as error:
            self._schedule.failed_snapshot(self._clock.monotonic())
            log.error("snapshot_failed", error=str(error))
            return
        ended_s = self._clock.monotonic()
        self._schedule.took_snapshot(started_s, ended_s)
        log.debug("snapshot_taken", bytes=len(state), duration_ms=round((ended_s - started_s) * 1000))


def _require_free(port: int) -> None:
    """Raise `PortTaken` before anvil could answer for somebody else, or fail after a snapshot was blamed."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise PortTaken(port) from error

"""
The development chain's life: start from the newest usable snapshot, replay, follow, stop with a last snapshot.

    live ── start ──▶ prepare ──▶ ┌ anvil.wait   anvil ended: its exit code is ours
                                  └ follow       new blocks ▶ journal ▶ schedule ▶ snapshot
    cancel (a signal) ──▶ last snapshot ──▶ anvil.stop

There are two tasks, `live` and `follow`; `follow` is over before the last snapshot begins, so snapshots never overlap.
Anvil is stopped on every way out, and by the kernel if this process is killed.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

from devkit.chain.anvil import Anvil, command_line
from devkit.chain.config import ChainConfig
from devkit.chain.errors import AnvilNotReady, RpcFailed, SnapshotUnreadable
from devkit.chain.journal import Journal
from devkit.chain.rpc import Rpc
from devkit.chain.schedule import Schedule
from devkit.chain.snapshots import Snapshots, Unpacked
from meshkit.clock import Clock
from meshkit.log import get_logger
from meshkit.process import ports

_log = get_logger(__name__)

POLL_S = 0.25
# The anvil of a run that was killed goes a moment after it.
PORT_FREE_WITHIN_S = 2.0
SNAPSHOT_WITHIN_S = 120.0
# Whoever stops us has little patience, and the state of a second ago is on disk already.
LAST_SNAPSHOT_WITHIN_S = 8.0


class DevChain:
    """Run anvil so that a killed process loses less than a second of blocks."""

    def __init__(self, config: ChainConfig, binary: Path, clock: Clock) -> None:
        self._config = config
        self._binary = binary
        self._clock = clock
        self._snapshots = Snapshots(config.state_dir)
        self._journal = Journal(config.state_dir)
        self._schedule = Schedule()
        self._seen = 0

    async def live(self) -> int:
        """Run until anvil ends and return its exit code; when cancelled, snapshot and stop anvil first."""
        await _wait_free(self._config.port, self._clock)
        async with Rpc(self._config.port) as rpc:
            anvil = await self._start(rpc)
            try:
                await self._prepare(rpc)
                _log.info("chain_ready", port=self._config.port, height=self._seen, anvil_pid=anvil.pid)
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
            _log.error("anvil_ended", exit_code=code)
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
                _log.error("snapshot_unusable", snapshot=str(snapshot), error=str(error))
                unusable.append(snapshot)
                continue
            finally:
                self._snapshots.discard_unpacked()
            # Only now: had anvil failed for another reason, it would have failed here too.
            for path in unusable:
                self._snapshots.set_aside(path)
            if snapshot is not None:
                _log.info("snapshot_restored", snapshot=snapshot.name)
            elif unusable:
                _log.error("chain_lost", reason="no snapshot is usable; the chain starts anew")
            return anvil
        raise AssertionError("the last candidate returns or raises")

    async def _start_from(self, state: Unpacked | None, rpc: Rpc) -> Anvil:
        # Without it anvil takes its own start for the last block's time, and refuses to replay what came before.
        first = self._journal.after(0)[:1] if state is None else []
        time_s = state.timestamp_s if state is not None else first[0].timestamp_s if first else None
        command = command_line(self._binary, self._config, state.path if state else None, time_s)
        anvil = await Anvil.start(command, self._config.state_dir)
        try:
            await anvil.wait_ready(rpc, self._config.chain_id)
        except BaseException:
            await anvil.stop()
            raise
        return anvil

    async def _prepare(self, rpc: Rpc) -> None:
        """Fund, execute what the snapshot lacks, and only then let the chain mine."""
        await self._fund(rpc)
        await self._replay(rpc)
        await self._fund(rpc)
        last = await rpc.block(self._seen)
        # A machine's clock that was set back must not stop the chain; its time just waits.
        now_s = max(self._clock.time_ms() // 1000, last.timestamp_s)
        await rpc.start_mining(now_s, self._config.block_time_s)

    async def _replay(self, rpc: Rpc) -> None:
        self._seen = await rpc.height()
        blocks = self._journal.after(self._seen)
        for block in blocks:
            try:
                await rpc.mine(block)
            except RpcFailed as error:
                _log.error("replay_stopped", block=block.number, last=blocks[-1].number, error=str(error))
                break
            self._seen = block.number
            self._schedule.saw_block(len(block.transactions))
        if blocks:
            _log.info("blocks_replayed", first=blocks[0].number, last=self._seen)

    async def _fund(self, rpc: Rpc) -> None:
        for funding in self._config.funds:
            balance = await rpc.balance(funding.address)
            if balance < funding.wei:
                await rpc.set_balance(funding.address, funding.wei)
                self._schedule.changed()
                _log.info("account_funded", address=funding.address, wei=str(funding.wei))

    async def _follow(self, rpc: Rpc) -> None:
        while True:
            try:
                await self._look(rpc)
            except RpcFailed as error:
                _log.warning("chain_unanswered", error=str(error))
            await self._clock.sleep(POLL_S)

    async def _look(self, rpc: Rpc) -> None:
        await self._note_blocks(rpc)
        if self._schedule.is_due(self._clock.monotonic()):
            await self._snapshot(rpc, SNAPSHOT_WITHIN_S)

    async def _note_blocks(self, rpc: Rpc) -> None:
        """Write into the journal what is new on the chain."""
        height = await rpc.height()
        if height < self._seen:
            # Somebody reverted the chain by a development call.
            self._seen = height
            self._schedule.changed()
        for number in range(self._seen + 1, height + 1):
            block = await rpc.block(number)
            self._journal.append([block])
            self._schedule.saw_block(len(block.transactions))
            self._seen = number

    async def _snapshot(self, rpc: Rpc, timeout_s: float) -> None:
        started_s = self._clock.monotonic()
        try:
            state = await rpc.dump_state(timeout_s)
            # Blocks that it has and nobody followed yet: without them the snapshot before it would lead nowhere.
            await self._note_blocks(rpc)
            self._snapshots.write(state)
            self._journal.rotate()
        except (RpcFailed, OSError) as error:
            self._schedule.failed_snapshot(self._clock.monotonic())
            _log.error("snapshot_failed", error=str(error))
            return
        ended_s = self._clock.monotonic()
        self._schedule.took_snapshot(started_s, ended_s)
        _log.debug("snapshot_taken", bytes=len(state), duration_ms=round((ended_s - started_s) * 1000))


async def _wait_free(port: int, clock: Clock) -> None:
    """Raise PortInUse before anvil could answer for somebody else, or fail after a snapshot was blamed for it."""
    deadline_s = clock.monotonic() + PORT_FREE_WITHIN_S
    while True:
        try:
            return ports.check({port: "the chain (--port)"})
        except ports.PortInUse:
            if clock.monotonic() >= deadline_s:
                raise
        await clock.sleep(0.05)

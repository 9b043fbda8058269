"""The development chain with real processes: what survives a stop, a kill, a torn snapshot."""

from __future__ import annotations

import gzip
import json
import signal
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import psutil
import pytest
from web3.contract import Contract
from web3.types import BlockData, TxReceipt

from devkit.chain.config import ChainConfig
from devkit.chain.devchain import DevChain
from devkit.chain.journal import Block, Journal
from devkit.chain.rpc import Rpc
from meshkit.clock import ManualClock
from tests.devkit.chain.process import FUNDS, USER, ChainProcess, copy_of, kill, until

pytestmark = pytest.mark.long(20)

Start = Callable[..., ChainProcess]
FIRST_KNOWN_ACCOUNT = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"


@dataclass(frozen=True)
class Past:
    """What happened on a chain that was stopped: a contract and two logs, each in a run of its own."""

    state_dir: Path
    actor: Contract
    first: TxReceipt
    block: BlockData
    height: int
    nonce: int


@pytest.fixture(name="past", scope="module")
def _past(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Past]:
    """Give the state of a stopped chain with a contract and two logs."""
    chain = ChainProcess(tmp_path_factory.mktemp("past") / "chain").wait_ready()
    try:
        actor = chain.deploy()
        first = chain.log_once(actor, 1)
        until(lambda: chain.has_snapshot_of(first), "snapshot of the first log", within_s=5)
        assert 0 == chain.signal(signal.SIGTERM)
        chain = ChainProcess(chain.state_dir).wait_ready()
        chain.log_once(actor, 2)
        block = chain.w3.eth.get_block(first["blockNumber"])
        height, nonce = chain.w3.eth.block_number, chain.nonce()
        assert 0 == chain.signal(signal.SIGTERM)
        yield Past(chain.state_dir, actor, first, block, height, nonce)
    finally:
        chain.stop()


@pytest.fixture(name="start")
def _start() -> Iterator[Start]:
    """Give a function that starts a chain; all of them are stopped at the end."""
    running: list[ChainProcess] = []

    def start(state_dir: Path, *extra: str, port: int | None = None) -> ChainProcess:
        running.append(ChainProcess(state_dir, *extra, port=port))
        return running[-1]

    yield start
    for chain in running:
        chain.stop()


def test_restart(past: Past, start: Start, tmp_path: Path) -> None:
    """After a stop and a start nothing is missing: contract, logs, receipts, blocks, nonces; and the chain goes on."""
    chain = start(copy_of(past.state_dir, tmp_path / "chain")).wait_ready()

    assert [1, 2] == chain.logged_numbers(past.actor)
    assert past.first == chain.w3.eth.get_transaction_receipt(past.first["transactionHash"])
    assert past.block == chain.w3.eth.get_block(past.first["blockNumber"])
    assert past.nonce == chain.nonce()
    assert past.height <= chain.w3.eth.block_number
    assert not chain.has_logged("blocks_replayed")
    chain.log_once(past.actor, 3)
    assert [1, 2, 3] == chain.logged_numbers(past.actor)


@pytest.mark.parametrize("victim", ["wrapper", "anvil"])
def test_kill(past: Past, start: Start, tmp_path: Path, victim: str) -> None:
    """When either process is killed both are gone, and nothing older than a second is lost, not even empty blocks."""
    chain = start(copy_of(past.state_dir, tmp_path / "chain")).wait_ready()
    receipt = chain.log_once(past.actor, 3)
    until(lambda: chain.w3.eth.block_number > receipt["blockNumber"], "an empty block")
    until(lambda: chain.is_durable(receipt["blockNumber"] + 1), "that block on disk", within_s=5)
    block = chain.w3.eth.get_block(receipt["blockNumber"])

    if victim == "wrapper":
        code = chain.signal(signal.SIGKILL)
    else:
        kill(chain.anvil.pid)
        code = chain.process.wait(timeout=10)

    assert {"wrapper": -9, "anvil": 128 + 9}[victim] == code
    again = start(chain.state_dir, port=chain.port).wait_ready()
    assert [1, 2, 3] == again.logged_numbers(past.actor)
    assert past.nonce + 1 == again.nonce()
    assert receipt["blockNumber"] + 1 <= again.w3.eth.block_number
    assert block["timestamp"] == again.w3.eth.get_block(receipt["blockNumber"])["timestamp"]


def test_replay(past: Past, start: Start, tmp_path: Path) -> None:
    """What is only in the journal comes back: the same transactions in the same blocks at the same times."""
    chain = start(copy_of(past.state_dir, tmp_path / "chain")).wait_ready()
    receipts = [chain.log_once(past.actor, number) for number in (3, 4)]
    blocks = [chain.w3.eth.get_block(receipt["blockNumber"]) for receipt in receipts]
    old = copy_of(past.state_dir, tmp_path / "old")
    Journal(old).append(chain.blocks_after(0))
    with (old / "journal.jsonl").open("ab") as journal:
        journal.write(b'{"number":')
    chain.signal(signal.SIGKILL)

    again = start(old).wait_ready()

    assert again.has_logged("blocks_replayed")
    assert [1, 2, 3, 4] == again.logged_numbers(past.actor)
    for receipt, block in zip(receipts, blocks, strict=True):
        found = again.w3.eth.get_transaction_receipt(receipt["transactionHash"])
        assert (receipt["blockNumber"], receipt["gasUsed"]) == (found["blockNumber"], found["gasUsed"])
        assert block["timestamp"] == again.w3.eth.get_block(receipt["blockNumber"])["timestamp"]
    # The chain follows the clock again.
    latest = again.log_once(past.actor, 5)["blockNumber"]
    assert abs(time.time() - again.w3.eth.get_block(latest)["timestamp"]) < 5


def test_from_the_journal_alone(past: Past, start: Start, tmp_path: Path) -> None:
    """A journal that reaches back to the first block makes up for lost snapshots."""
    chain = start(copy_of(past.state_dir, tmp_path / "chain")).wait_ready()
    (tmp_path / "new").mkdir()
    Journal(tmp_path / "new").append(chain.blocks_after(0))

    again = start(tmp_path / "new").wait_ready()

    assert [1, 2] == again.logged_numbers(past.actor)
    assert past.nonce == again.nonce()


def test_impossible_replay(past: Past, start: Start, tmp_path: Path) -> None:
    """A journal that does not fit the chain is given up with an error, and the chain goes on."""
    state_dir = copy_of(past.state_dir, tmp_path / "chain")
    Journal(state_dir).append([Block(number, 1, ()) for number in range(past.height, past.height + 9)])

    chain = start(state_dir).wait_ready()

    assert chain.has_logged("replay_stopped")
    assert [1, 2] == chain.logged_numbers(past.actor)
    chain.log_once(past.actor, 3)


def test_interrupt(start: Start, tmp_path: Path) -> None:
    """Ctrl-C takes a last snapshot, too, of blocks that were not worth one before, and ends with code 0."""
    chain = start(tmp_path / "chain").wait_ready()
    until(lambda: (chain.state_dir / "snapshot.json.gz").exists(), "the snapshot of the funding")
    until(lambda: chain.w3.eth.block_number >= 2, "two blocks")

    assert 0 == chain.signal(signal.SIGINT)

    state = json.loads(gzip.decompress((chain.state_dir / "snapshot.json.gz").read_bytes()))
    assert 2 <= state["best_block_number"]


def test_stop_while_starting(start: Start, tmp_path: Path) -> None:
    """A signal that comes as soon as anvil runs ends everything with code 0 as well."""
    chain = start(tmp_path / "chain")
    until(lambda: len(_children(chain)) == 1, "anvil started")

    assert 0 == chain.signal(signal.SIGTERM)


def test_torn_snapshot(past: Past, start: Start, tmp_path: Path) -> None:
    """A torn snapshot is kept aside; the one before it and the journal give the same chain."""
    state_dir = copy_of(past.state_dir, tmp_path / "chain")
    whole = (state_dir / "snapshot.json.gz").read_bytes()
    (state_dir / "snapshot.json.gz").write_bytes(whole[: len(whole) // 2])

    chain = start(state_dir).wait_ready()
    # The port answers a moment before the journal is replayed.
    until(lambda: [1, 2] == chain.logged_numbers(past.actor), "both events are there again")

    assert chain.has_logged("snapshot_unusable")
    assert (state_dir / "snapshot.json.gz.unusable").exists()


def test_refused_snapshot(past: Past, start: Start, tmp_path: Path) -> None:
    """A whole snapshot that anvil itself cannot load gives way as well."""
    state_dir = copy_of(past.state_dir, tmp_path / "chain")
    state = json.loads(gzip.decompress((state_dir / "snapshot.json.gz").read_bytes()))
    state["accounts"] = 7
    (state_dir / "snapshot.json.gz").write_bytes(gzip.compress(json.dumps(state).encode()))

    chain = start(state_dir).wait_ready()
    # The port answers a moment before the journal is replayed.
    until(lambda: [1, 2] == chain.logged_numbers(past.actor), "both events are there again")

    (event,) = [entry for entry in chain.events() if entry["event"] == "snapshot_unusable"]
    assert "expected a map" in event["error"]


def test_no_usable_snapshot(past: Past, start: Start, tmp_path: Path) -> None:
    """With everything torn the chain starts empty and says that it lost everything."""
    state_dir = copy_of(past.state_dir, tmp_path / "chain")
    for path in state_dir.iterdir():
        path.write_bytes(b"torn")

    chain = start(state_dir).wait_ready()

    assert [] == chain.logged_numbers(past.actor)
    assert chain.has_logged("chain_lost")
    assert 2 == len(list(state_dir.glob("*.unusable")))


def test_funding(past: Past, start: Start, tmp_path: Path) -> None:
    """Accounts are topped up at every start but never lowered, and nobody else has anything."""
    other = "0x359C282e8a18AAC32C4392bD584dE9e5e75F7dfE"
    chain = start(copy_of(past.state_dir, tmp_path / "chain"), "--fund", f"{other}={FUNDS * 2}").wait_ready()
    balance = chain.w3.eth.get_balance

    assert FUNDS == balance(USER.address)  # it had paid gas
    assert FUNDS * 2 == balance(other)  # type: ignore[arg-type]
    assert 0 == balance(FIRST_KNOWN_ACCOUNT)  # type: ignore[arg-type]
    assert [] == list(chain.w3.eth.accounts)
    assert 1337 == chain.w3.eth.chain_id
    assert 0 == chain.signal(signal.SIGTERM)

    again = start(chain.state_dir, "--fund", f"{other}={FUNDS}").wait_ready()
    assert FUNDS * 2 == again.w3.eth.get_balance(other)  # type: ignore[arg-type]


def test_port_taken(start: Start, tmp_path: Path) -> None:
    """A port in use is named, and the code is 1."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        chain = start(tmp_path / "chain", port=port)
        code = chain.process.wait(timeout=20)

    assert 1 == code
    assert f"port {port}" in chain.events()[-1]["error"]


def _children(chain: ChainProcess) -> list[int]:
    return [child.pid for child in psutil.Process(chain.process.pid).children()]


class _MinedMeanwhile:
    """A chain that mines one more block while its state is written."""

    def __init__(self) -> None:
        self._height = 3

    async def height(self) -> int:
        return self._height

    async def block(self, number: int) -> Block:
        return Block(number, 1_800_000_000 + number, ())

    async def dump_state(self, _timeout_s: float) -> bytes:
        self._height += 1
        return gzip.compress(b"{}")


async def test_the_journal_reaches_as_far_as_the_last_snapshot(tmp_path: Path) -> None:
    """Blocks that nobody followed before a snapshot are in the journal too: the snapshot before it may be needed."""
    chain = DevChain(ChainConfig(8545, 1337, 1, tmp_path, ()), Path("anvil"), ManualClock())
    await chain._snapshot(cast(Rpc, _MinedMeanwhile()), 1.0)
    assert [1, 2, 3, 4] == [block.number for block in Journal(tmp_path).after(0)]

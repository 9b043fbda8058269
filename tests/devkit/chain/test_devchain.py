"""The development chain with real processes: what survives a stop, a kill, a torn snapshot."""

from __future__ import annotations

import gzip
import json
import signal
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
from web3.contract import Contract
from web3.types import BlockData, TxReceipt

from tests.devkit.chain.process import FUNDS, USER, ChainProcess, copy_of, kill, until

Start = Callable[..., ChainProcess]
FIRST_KNOWN_ACCOUNT = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"


@dataclass(frozen=True)
class Past:
    """What happened on a chain that was stopped: a contract, a first log, a second log only in the last snapshot."""

    state_dir: Path
    actor: Contract
    first: TxReceipt
    block: BlockData
    height: int
    nonce: int


@pytest.fixture(name="past", scope="module")
def _past(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Past]:
    """Give a chain with a contract and two logs; the previous snapshot holds only the first log."""
    chain = ChainProcess(tmp_path_factory.mktemp("past") / "chain").wait_ready()
    try:
        actor = chain.deploy()
        first = chain.log_once(actor, 1)
        until(lambda: chain.has_snapshot_of(first), "snapshot of the first log", within_s=5)
        assert 0 == chain.signal(signal.SIGTERM)
        before = (chain.state_dir / "snapshot.json.gz").read_bytes()
        chain = ChainProcess(chain.state_dir).wait_ready()
        chain.log_once(actor, 2)
        block = chain.w3.eth.get_block(first["blockNumber"])
        height, nonce = chain.w3.eth.block_number, chain.nonce()
        assert 0 == chain.signal(signal.SIGTERM)
        (chain.state_dir / "snapshot.previous.json.gz").write_bytes(before)
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
    assert not chain.has_logged("blocks_replaced")
    chain.log_once(past.actor, 3)
    assert [1, 2, 3] == chain.logged_numbers(past.actor)


@pytest.mark.parametrize("victim", ["wrapper", "anvil"])
def test_kill(past: Past, start: Start, tmp_path: Path, victim: str) -> None:
    """When either process is killed both are gone, and only the last second is lost; block numbers do not go back."""
    chain = start(copy_of(past.state_dir, tmp_path / "chain")).wait_ready()
    receipt = chain.log_once(past.actor, 3)
    until(lambda: chain.has_snapshot_of(receipt), "snapshot of the third log", within_s=5)
    seen = chain.w3.eth.block_number
    until(lambda: chain.w3.eth.block_number > seen, "an empty block")
    until(lambda: int((chain.state_dir / "height").read_text()) > seen, "the height noted")

    if victim == "wrapper":
        code = chain.signal(signal.SIGKILL)
    else:
        kill(chain.anvil.pid)
        code = chain.process.wait(timeout=10)

    assert {"wrapper": -9, "anvil": 128 + 9}[victim] == code
    again = start(chain.state_dir, port=chain.port).wait_ready()
    assert [1, 2, 3] == again.logged_numbers(past.actor)
    assert past.nonce + 1 == again.nonce()
    assert seen + 1 <= again.w3.eth.block_number
    assert again.has_logged("blocks_replaced")


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
    """A torn snapshot gives way to the one before it, and is kept aside."""
    state_dir = copy_of(past.state_dir, tmp_path / "chain")
    whole = (state_dir / "snapshot.json.gz").read_bytes()
    (state_dir / "snapshot.json.gz").write_bytes(whole[: len(whole) // 2])

    chain = start(state_dir).wait_ready()

    assert [1] == chain.logged_numbers(past.actor)
    assert chain.has_logged("snapshot_unusable")
    assert (state_dir / "snapshot.json.gz.unusable").exists()


def test_refused_snapshot(past: Past, start: Start, tmp_path: Path) -> None:
    """A whole snapshot that anvil itself cannot load gives way as well."""
    state_dir = copy_of(past.state_dir, tmp_path / "chain")
    strange = b'{"accounts":{},"blocks":7,"transactions":[]}'
    (state_dir / "snapshot.json.gz").write_bytes(gzip.compress(strange))

    chain = start(state_dir).wait_ready()

    assert [1] == chain.logged_numbers(past.actor)
    (event,) = [entry for entry in chain.events() if entry["event"] == "snapshot_unusable"]
    assert "expected a sequence" in event["error"]


def test_no_usable_snapshot(past: Past, start: Start, tmp_path: Path) -> None:
    """With both snapshots torn the chain starts empty and says that it lost everything."""
    state_dir = copy_of(past.state_dir, tmp_path / "chain")
    for path in state_dir.glob("*.gz"):
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

"""The development chain as a real process, and a user of it."""

from __future__ import annotations

import gzip
import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
from eth_account import Account
from eth_account.signers.local import LocalAccount
from eth_typing import HexStr
from hexbytes import HexBytes
from web3 import HTTPProvider, Web3
from web3.contract import Contract
from web3.types import TxReceipt, Wei

from chainlink.contract.artifact import load
from devkit.chain.journal import Block
from tests.ports import free_port

USER: LocalAccount = Account.from_key("0x" + "11" * 32)
FUNDS = 10**20
WITHIN_S = 20.0
_runs = itertools.count()


def until(condition: Callable[[], bool], what: str, within_s: float = WITHIN_S) -> None:
    """Return once the condition holds; fails with `what` after the deadline."""
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, f"not within {within_s} s: {what}"
        time.sleep(0.02)


class ChainProcess:
    """One run of `python -m devkit.chain`."""

    def __init__(self, state_dir: Path, *extra: str, port: int | None = None) -> None:
        self.state_dir = state_dir
        self.port = port or free_port()
        self.log_file = state_dir.with_name(f"{state_dir.name}-{next(_runs)}.log")
        options = ["--port", str(self.port), "--state-dir", str(state_dir), "--fund", f"{USER.address}={FUNDS}"]
        with self.log_file.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "devkit.chain", *options, *extra], stdout=log, stderr=subprocess.STDOUT
            )
        self.w3 = Web3(HTTPProvider(f"http://127.0.0.1:{self.port}"))

    def events(self) -> list[dict[str, Any]]:
        """Return what was logged so far."""
        return [json.loads(line) for line in self.log_file.read_text().splitlines() if line.endswith("}")]

    def has_logged(self, event: str) -> bool:
        """Tell whether an event was logged."""
        return any(entry["event"] == event for entry in self.events())

    def wait_ready(self) -> ChainProcess:
        """Return once the chain says it is ready."""

        def ready() -> bool:
            assert self.process.poll() is None, self.log_file.read_text()
            return self.has_logged("chain_ready")

        until(ready, "chain ready")
        return self

    @property
    def anvil(self) -> psutil.Process:
        """Return the anvil process."""
        (child,) = psutil.Process(self.process.pid).children()
        return child

    def signal(self, number: int) -> int:
        """Send a signal and return the exit code; anvil must be gone too."""
        anvil = self.anvil
        self.process.send_signal(number)
        code = self.process.wait(timeout=WITHIN_S)
        until(lambda: not anvil.is_running() or anvil.status() == psutil.STATUS_ZOMBIE, "anvil gone")
        return code

    def stop(self) -> None:
        """End the process if it still runs."""
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(timeout=WITHIN_S)

    def deploy(self) -> Contract:
        """Deploy a contract that logs."""
        built = load("test/Actor")
        factory = self.w3.eth.contract(abi=built.abi, bytecode=HexStr(built.bytecode))
        receipt = self._send(factory.constructor().build_transaction({"gas": 2_000_000, "gasPrice": Wei(2 * 10**9)}))
        return self.actor(str(receipt["contractAddress"]))

    def actor(self, address: str) -> Contract:
        """Return the logging contract at an address."""
        made = self.w3.eth.contract(address=Web3.to_checksum_address(address), abi=load("test/Actor").abi)
        assert isinstance(made, Contract)
        return made

    def log_once(self, actor: Contract, number: int) -> TxReceipt:
        """Make the contract emit one log with this number."""
        call = self.actor(actor.address).functions.validate(number, 0, 0, 0)
        return self._send(call.build_transaction({"gas": 200_000, "gasPrice": Wei(2 * 10**9)}))

    def logged_numbers(self, actor: Contract) -> list[int]:
        """Return the numbers in all logs of the contract since block 0."""
        logs = self.w3.eth.get_logs({"address": actor.address, "fromBlock": 0})
        event = self.actor(actor.address).events.Validated()
        return [event.process_log(log)["args"]["previousRoundId"] for log in logs]

    def has_snapshot_of(self, receipt: TxReceipt) -> bool:
        """Tell whether the last snapshot contains a transaction."""
        try:
            state = gzip.decompress((self.state_dir / "snapshot.json.gz").read_bytes())
        except FileNotFoundError:
            return False
        return receipt["transactionHash"].hex().removeprefix("0x").encode() in state

    def is_durable(self, block: int) -> bool:
        """Tell whether a block is in the journal."""
        texts = [path.read_text() for path in self.state_dir.glob("journal*")]
        return any(f'{{"number":{block},' in text for text in texts)

    def blocks_after(self, height: int) -> list[Block]:
        """Return the chain's blocks after a height, as the journal notes them."""
        found = []
        for number in range(height + 1, self.w3.eth.block_number + 1):
            block = self.w3.eth.get_block(number)
            raw = [self.w3.eth.get_raw_transaction(HexBytes(tx)) for tx in block["transactions"]]  # type: ignore[arg-type]
            found.append(Block(number, block["timestamp"], tuple(tx.to_0x_hex() for tx in raw)))
        return found

    def nonce(self) -> int:
        """Return the user's next nonce."""
        return self.w3.eth.get_transaction_count(USER.address)

    def _send(self, transaction: Any) -> TxReceipt:
        transaction |= {"nonce": self.nonce(), "chainId": 1337}
        sent: HexBytes = self.w3.eth.send_raw_transaction(USER.sign_transaction(transaction).raw_transaction)
        receipt = self.w3.eth.wait_for_transaction_receipt(sent, timeout=WITHIN_S, poll_latency=0.05)
        assert receipt["status"] == 1
        return receipt


def copy_of(state_dir: Path, to: Path) -> Path:
    """Return a copy of a state directory."""
    shutil.copytree(state_dir, to)
    return to


def kill(pid: int) -> None:
    """Send SIGKILL."""
    os.kill(pid, signal.SIGKILL)

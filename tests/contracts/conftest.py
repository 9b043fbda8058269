"""One development chain for all contract tests, and feeds on it."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest
from web3 import HTTPProvider, Web3
from web3.types import RPCEndpoint

from devkit.chain.binary import find_anvil
from tests.contracts.feed import Chain, Feed, deploy_feed
from tests.ports import free_port


@pytest.fixture(name="package_chain", scope="package")
def _package_chain() -> Iterator[Chain]:
    """Give a chain that mines every transaction at once and lets any address send."""
    port = free_port()
    command = [
        *(str(find_anvil()), "--port", str(port), "--chain-id", "1337", "--quiet"),
        *("--accounts", "0", "--auto-impersonate", "--base-fee", "0", "--gas-price", "0"),
    ]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    provider = HTTPProvider(f"http://127.0.0.1:{port}")
    try:
        w3 = Web3(provider)
        deadline = time.monotonic() + 20
        while not w3.is_connected():
            assert process.poll() is None, f"anvil ended with code {process.returncode}"
            assert time.monotonic() < deadline, "anvil gave no answer in 20 s"
            time.sleep(0.02)
        yield Chain(w3)
    finally:
        process.terminate()
        process.wait(timeout=10)


@pytest.fixture(name="prepared_feed", scope="package")
def _prepared_feed(package_chain: Chain) -> Feed:
    """Give the feed with four oracles that all tests start from."""
    feed = deploy_feed(package_chain)
    feed.configure()
    return feed


@pytest.fixture(name="chain")
def _chain(package_chain: Chain, prepared_feed: Feed) -> Iterator[Chain]:
    """Give the chain as it was after the preparations; what a test does on it is undone."""
    assert prepared_feed.chain is package_chain
    snapshot = package_chain.w3.provider.make_request(RPCEndpoint("evm_snapshot"), [])["result"]
    yield package_chain
    assert package_chain.w3.provider.make_request(RPCEndpoint("evm_revert"), [snapshot])["result"]


@pytest.fixture(name="bare_feed")
def _bare_feed(chain: Chain) -> Feed:
    """Give a new feed that has no oracles yet."""
    return deploy_feed(chain)


@pytest.fixture(name="feed")
def _feed(chain: Chain, prepared_feed: Feed) -> Feed:
    """Give a feed with four oracles, of which one may be faulty."""
    assert chain is prepared_feed.chain
    return replace(prepared_feed)

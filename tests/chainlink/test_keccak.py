"""Hashes, and what they cost."""

import subprocess
import sys

import pytest

from chainlink.keccak import keccak


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"),
        (b"transfer(address,uint256)", "a9059cbb2ab09eb219583f4a59a5d0623ade346d962bcd4e46b11da047c9049b"),
    ],
)
def test_known_hashes(data: bytes, expected: str) -> None:
    """The hash is that of Ethereum, not the later SHA-3."""
    assert expected == keccak(data).hex()


def test_a_node_holds_nothing_that_it_does_not_need() -> None:
    """What an oracle node imports, and a first hash and signature, bring no parser of C, models or writer of TOML."""
    unneeded = ("cffi", "pycparser", "pydantic", "eth_utils", "tomlkit", "rich", "typer", "web3")
    script = (
        "import sys, services.oracle.__main__; from chainlink.keccak import keccak; keccak(b''); "
        f"print([name for name in {unneeded} if sys.modules.get(name)])"
    )
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert "[]\n" == ran.stdout

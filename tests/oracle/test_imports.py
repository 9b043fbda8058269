"""What an oracle node loads."""

import subprocess
import sys


def test_a_node_holds_nothing_that_it_does_not_need() -> None:
    """What an oracle node imports, and a first hash and signature, bring no parser of C, models or writer of TOML."""
    unneeded = ("cffi", "pycparser", "pydantic", "eth_utils", "tomlkit", "rich", "typer", "web3")
    script = (
        "import sys, services.oracle.__main__; from meshkit.ethereum.keccak import keccak256; keccak256(b''); "
        f"print([name for name in {unneeded} if sys.modules.get(name)])"
    )
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert "[]\n" == ran.stdout

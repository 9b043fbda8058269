"""
The faucet's address, derived from its key in a process of its own.

The arithmetic's libraries take 14 MB, which the supervisor would hold for ever for one line of its plan. The key goes
through standard input, since command lines are public.
"""

import subprocess
import sys


def address(private_key: str) -> str:
    """Return the account of a private key (64 hex digits, perhaps after 0x), with its checksum."""
    command = [sys.executable, "-m", "services.supervisor.faucet"]
    return subprocess.run(command, input=private_key, capture_output=True, text=True, check=True).stdout.strip()


def main() -> None:
    """Read the key, write the address."""
    from eth_keys.datatypes import PrivateKey

    key = bytes.fromhex(sys.stdin.read().strip().removeprefix("0x"))
    print(PrivateKey(key).public_key.to_checksum_address())


if __name__ == "__main__":
    main()

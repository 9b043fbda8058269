"""How a process runs its main coroutine."""

import subprocess
import sys

import pytest

_HASHES = """
import asyncio, hashlib, os
from meshkit.process.runtime import run

def resident_mb():
    return int(open("/proc/self/statm").read().split()[1]) * os.sysconf("SC_PAGESIZE") / 1e6

async def main():
    before_mb = resident_mb()
    hashed = (asyncio.to_thread(hashlib.scrypt, b"p", salt=b"s" * 16, n=2**14, r=8, p=1) for _ in range(12))
    await asyncio.gather(*hashed)
    print(resident_mb() - before_mb)

run(main)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_memory_of_hashes_is_given_back() -> None:
    """After twelve password hashes of 16 MB each in the threads of the pool, the process has not kept one of them."""
    done = subprocess.run([sys.executable, "-c", _HASHES], capture_output=True, text=True, timeout=60, check=True)

    assert float(done.stdout) < 16


_COLLECTED = """
import gc
from meshkit.process.runtime import run

gc.disable()

async def main():
    print(gc.isenabled(), gc.get_freeze_count() > 1000)

run(main)
"""


def test_garbage_is_collected_again_after_the_imports() -> None:
    """A program that put the collector off for its imports has it in `main`, and what it imported is left alone."""
    done = subprocess.run([sys.executable, "-c", _COLLECTED], capture_output=True, text=True, timeout=60, check=True)

    assert "True True\n" == done.stdout

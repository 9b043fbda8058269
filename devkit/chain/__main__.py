"""`python -m devkit.chain`: the development chain as a process."""

from __future__ import annotations

import gc

# What imports make stays; looking through it again and again takes a tenth of a start. `runtime.run` begins with it.
gc.disable()

import asyncio
import signal
import sys

from devkit.chain.binary import find_anvil
from devkit.chain.config import parse
from devkit.chain.devchain import DevChain
from meshkit import log
from meshkit.clock import SystemClock
from meshkit.process.runtime import run


def main() -> None:
    """Run the chain until a signal (exit code 0) or until anvil ends (anvil's exit code)."""
    log.configure("devchain")
    code = 0

    async def serve() -> None:
        nonlocal code
        chain = DevChain(parse(sys.argv[1:]), find_anvil(), SystemClock())
        life = asyncio.create_task(chain.live())
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, life.cancel)
        await asyncio.wait({life})
        code = 0 if life.cancelled() else life.result()

    run(serve)
    sys.exit(code)


if __name__ == "__main__":
    main()

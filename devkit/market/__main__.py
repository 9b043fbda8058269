"""Run the market simulator: python -m devkit.market --port 8600 --seed 42."""

import gc

# What imports make stays; looking through it again and again takes a tenth of a start. `runtime.run` begins with it.
gc.disable()

from functools import partial
from typing import Annotated

import typer

from devkit.market.process import PriceProcess
from devkit.market.server import serve
from meshkit.clock import SystemClock
from meshkit.log import configure
from meshkit.process.runtime import run


def main(
    port: Annotated[int, typer.Option(min=0, max=65535, help="TCP port on 127.0.0.1; 0 for any free one")] = 8600,
    seed: Annotated[int, typer.Option(help="the same seed gives the same prices")] = 42,
    tick_ms: Annotated[int, typer.Option(min=1, max=60_000, help="prices change at multiples of this time")] = 250,
) -> None:
    """Serve the REST and stream dialects of all sources from one seeded price process."""
    configure("market")
    run(partial(serve, port, PriceProcess(seed, tick_ms), SystemClock()))


if __name__ == "__main__":
    typer.run(main)

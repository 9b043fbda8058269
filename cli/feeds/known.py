"""`feedmesh feeds --known`: the feeds that a configuration may name."""

import sys

from cli.json_output import print_json
from meshkit import feeds as known


def show(as_json: bool) -> None:
    """List the feeds that a configuration may name."""
    rows = list(known.load().values())
    if as_json:
        print_json(
            [
                {
                    "name": feed.name,
                    "kind": feed.kind,
                    "decimals": feed.decimals,
                    "heartbeat_ms": feed.heartbeat_ms,
                    "deviation_ppb": feed.deviation_ppb,
                    "sources": dict(feed.sources),
                    "cross": feed.cross,
                }
                for feed in rows
            ]
        )
        return
    for feed in rows:
        sys.stdout.write(f"{feed.name}\n")

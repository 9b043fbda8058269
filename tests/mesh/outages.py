"""What is taken away from a running mesh, and how its oracles get over it."""

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from typing import Any

from tests.mesh.running import FEEDMESH, Mesh, wait_until

# Rounds have to be there again before the second epoch after the outage is over.
MOST_EPOCHS = 2


class Moments:
    """What the oracles of a mesh say of their rounds, as `feedmesh rounds --json` writes it."""

    def __init__(self, mesh: Mesh) -> None:
        self._path = mesh.directory / "moments"
        with self._path.open("w") as output:
            self._process = subprocess.Popen(
                [*FEEDMESH, "rounds", "--json", "--run-dir", str(mesh.run_dir)], stdout=output, stderr=output
            )

    def read(self) -> list[dict[str, Any]]:
        """Return all moments so far."""
        assert self._process.poll() is None, self._path.read_text()[-2000:]
        text = self._path.read_text()
        # The last line may be half written.
        return [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines()]

    def leader(self, feed: str) -> str:
        """Return the node that leads a feed now, once that is known."""

        def newest() -> str | None:
            led = [moment["leader"] for moment in self.read() if moment["feed"] == feed and moment["leader"]]
            return led[-1] if led else None

        return wait_until(f"a leader of {feed}", newest, 60)

    def epochs_until_sent(self, feed: str, since_ms: int, timeout_s: float) -> int:
        """Wait until a round that began after a time was sent to the contract; return how many epochs were needed."""

        def sent() -> dict[str, Any] | None:
            for moment in self.read():
                began_ms = moment["time_ms"] - moment["after_ms"]
                if (moment["feed"], moment["stage"]) == (feed, "transmitted") and began_ms > since_ms:
                    return moment
            return None

        found = wait_until(f"a round of {feed} was sent", sent, timeout_s)
        before = [moment["epoch"] for moment in self.read() if moment["feed"] == feed and moment["time_ms"] <= since_ms]
        return int(found["epoch"] - max(before, default=found["epoch"]))

    def close(self) -> None:
        """End the command."""
        self._process.kill()
        self._process.wait()


@contextlib.contextmanager
def following(mesh: Mesh) -> Iterator[Moments]:
    """Give the moments of a mesh from now on."""
    moments = Moments(mesh)
    try:
        yield moments
    finally:
        moments.close()


def recovers(moments: Moments, feeds: tuple[str, ...], since_ms: int, timeout_s: float = 60) -> None:
    """Fail unless each feed has a round on the way to its contract within two epochs after a time."""
    needed = {feed: moments.epochs_until_sent(feed, since_ms, timeout_s) for feed in feeds}
    assert max(needed.values()) <= MOST_EPOCHS, f"epochs needed: {needed}"


def kill_leader(mesh: Mesh, moments: Moments, feed: str) -> int:
    """Kill the node that leads a feed with SIGKILL; return when, in Unix milliseconds."""
    leader = moments.leader(feed)
    os.kill(mesh.status()[leader]["pid"], signal.SIGKILL)
    return now_ms()


def without(mesh: Mesh, service: str, seconds: float) -> int:
    """Stop a service for a while and start it again; return when it was back, in Unix milliseconds."""
    mesh.command("stop", service)
    time.sleep(seconds)
    mesh.command("start", service)
    wait_until(f"{service} is back", lambda: mesh.status()[service]["state"] == "healthy", 60)
    return now_ms()


def now_ms() -> int:
    """Return the Unix time in milliseconds."""
    return time.time_ns() // 1_000_000

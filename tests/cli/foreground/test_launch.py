"""A mesh in the foreground, and what ends it."""

import asyncio
import os
import signal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from cli.errors import MeshFailed
from cli.foreground import launch
from cli.foreground.launch import _until_end
from cli.foreground.mesh_watcher import Watcher
from tests.deployment import deployment, written


@pytest.fixture(name="config")
def _config(tmp_path: Path) -> Path:
    """Give a file that a mesh could be made of."""
    return written(tmp_path, deployment())


class Running:
    """A supervisor that runs until it is stopped."""

    def __init__(self, config: Path, *, pass_output: bool) -> None:
        self.exit_code: int | None = None
        self._ended = asyncio.Event()

    async def start(self) -> None:
        """Nothing to do."""

    def is_ours(self, pid: int) -> bool:
        """Tell that every supervisor is ours."""
        return True

    async def wait(self) -> int:
        """Wait for the end."""
        await self._ended.wait()
        return 0

    def signal(self) -> None:
        """End in haste."""
        self._ended.set()

    async def stop(self) -> int:
        """End in order."""
        self.exit_code = 0
        self._ended.set()
        return 0

    def last_error(self) -> str:
        """Return what nobody should ask for."""
        return "the supervisor ended"


async def test_a_watcher_that_breaks_does_not_end_the_mesh(
    config: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is said, and the mesh runs until somebody ends it; its exit code is its own."""
    broken = asyncio.Event()

    class Broken(Watcher):
        async def run(self, is_ours: object) -> None:
            broken.set()
            raise KeyError("EUR / USD")

    monkeypatch.setattr(launch, "Supervised", Running)
    monkeypatch.setattr(launch, "Watcher", Broken)
    launched = asyncio.create_task(launch.launch(config, rounds=0, as_json=False, pass_logs=False, timeout_s=0))
    await broken.wait()
    # The loop turns often enough for a failure to reach whoever waits for it.
    for _ in range(20):
        await asyncio.sleep(0)
    still_running = not launched.done()
    os.kill(os.getpid(), signal.SIGTERM)
    code = await asyncio.wait_for(launched, 30)
    shown = capsys.readouterr().out

    assert (True, 0) == (still_running, code)
    assert "the mesh is no longer shown, but goes on: KeyError('EUR / USD')" in shown
    assert shown.index("no longer shown") < shown.index("stopping in reverse order") < shown.index("is stopped")


async def test_references_that_cannot_be_had_stop_the_mesh_in_order(
    config: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """After the wanted rounds, whatever the market answers, the supervisor is stopped before the command ends."""
    supervisors: list[Running] = []

    class Kept(Running):
        def __init__(self, config: Path, *, pass_output: bool) -> None:
            super().__init__(config, pass_output=pass_output)
            supervisors.append(self)

    class Done(Watcher):
        async def run(self, is_ours: object) -> None:
            self.done.set()

    async def fail(*_: object) -> None:
        raise TimeoutError

    monkeypatch.setattr(launch, "Supervised", Kept)
    monkeypatch.setattr(launch, "Watcher", Done)
    monkeypatch.setattr(launch, "fetch_references", fail)
    code = await launch.launch(config, rounds=1, as_json=False, pass_logs=False, timeout_s=30)

    assert (1, 0) == (code, supervisors[0].exit_code)
    assert "error: the market simulator gave no reference price: TimeoutError()" in capsys.readouterr().out


def ended(exit_code: int) -> Any:
    """Return a supervisor that has ended."""

    async def wait() -> int:
        return exit_code

    return SimpleNamespace(wait=wait, last_error=lambda: "it broke")


async def test_a_mesh_that_somebody_stopped_is_no_failure() -> None:
    """A supervisor that ended well was told to by another command: that counts as a signal would."""
    interrupted = asyncio.Event()

    await _until_end(ended(0), asyncio.Event(), interrupted, 0, "hint")

    assert interrupted.is_set()


async def test_a_mesh_that_broke_is_one() -> None:
    """A supervisor that ended badly is told with its last error and its exit code."""
    interrupted = asyncio.Event()

    with pytest.raises(MeshFailed, match="it broke") as caught:
        await _until_end(ended(3), asyncio.Event(), interrupted, 0, "hint")

    assert (3, False) == (caught.value.exit_code, interrupted.is_set())

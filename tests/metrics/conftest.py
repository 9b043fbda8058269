"""Fixtures of the metrics service's tests."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.metrics.fakes import FakeSupervisor


@pytest.fixture(name="supervisor")
async def _supervisor(run_dir: Path) -> AsyncIterator[FakeSupervisor]:
    """Give a supervisor that answers with no services on <run_dir>/supervisor.sock."""
    supervisor = FakeSupervisor(run_dir / "supervisor.sock")
    await supervisor.start()
    yield supervisor
    await supervisor.stop()

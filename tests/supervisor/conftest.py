"""Fixtures of the supervisor's tests."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.supervisor.started import Start, Supervisor


@pytest.fixture(name="start")
def _start(run_dir: Path) -> Iterator[Start]:
    started: list[Supervisor] = []

    def start(scenario: str, within: Sequence[str] = ()) -> Supervisor:
        started.append(Supervisor(run_dir, scenario, within))
        return started[-1]

    yield start
    for supervisor in started:
        if supervisor.process.poll() is None:
            supervisor.process.kill()
        assert supervisor.process.stdout is not None
        if not supervisor.process.stdout.closed:
            supervisor.process.communicate()

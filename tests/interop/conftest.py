"""The Go program, built once, and what the tests of the node have."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import aiohttp
import pytest

from tests.dbinit.server import Server
from tests.interop.network import Network, running
from tests.interop.program import Unavailable, build
from tests.oracle.conftest import _http, _postgres

Run = Callable[..., AbstractAsyncContextManager[Network]]

__all__ = ["_http", "_postgres"]


@pytest.fixture(name="program", scope="session")
def _program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the path of the built program; without it there is nothing to test."""
    try:
        return build(tmp_path_factory.mktemp("interop"))
    except Unavailable as error:
        pytest.skip(str(error))


@pytest.fixture(name="run")
def _run(program: Path, postgres: Server, http: aiohttp.ClientSession, tmp_path: Path, run_dir: Path) -> Run:
    """Give `running` with all that it needs."""

    def run(oracles: str, **options: object) -> AbstractAsyncContextManager[Network]:
        return running(oracles, program, postgres, http, tmp_path, run_dir, **options)  # type: ignore[arg-type]

    return run

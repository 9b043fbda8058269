"""The Go program, built once, and what the tests of the node have."""

from pathlib import Path

import pytest

from tests.interop.program import Unavailable, build
from tests.oracle.conftest import _http, _postgres

__all__ = ["_http", "_postgres"]


@pytest.fixture(name="program", scope="session")
def _program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the path of the built program; without it there is nothing to test."""
    try:
        return build(tmp_path_factory.mktemp("interop"))
    except Unavailable as error:
        pytest.skip(str(error))

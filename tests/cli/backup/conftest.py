"""The deployment of the tests of keys, and backups that take no second to make."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from cli.backup import sealed_file
from tests.cli.keys.conftest import _config as _config
from tests.cli.keys.conftest import _nodes as _nodes


@pytest.fixture(name="password_file")
def _password_file(tmp_path: Path) -> Path:
    """Give a file with the password of the backup."""
    path = tmp_path / "backup-password"
    path.write_text("the password of a backup\n")
    return path


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Seal at the least cost that scrypt allows."""
    with monkeypatch.context() as patched:
        patched.setattr(sealed_file, "seal", partial(sealed_file.seal, scrypt_n=2))
        yield

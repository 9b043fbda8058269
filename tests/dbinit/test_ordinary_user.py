"""Everything as an ordinary user."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from services.dbinit import run_as
from services.dbinit.run_as import Identity
from tests.dbinit.conftest import needs_root

NOBODY = 65534


def interpreter() -> str:
    """Return a Python that an ordinary user can run; ours may lie in root's home."""
    for candidate in (sys.executable, shutil.which("python3", path="/usr/local/bin:/usr/bin:/bin")):
        if candidate is not None:
            command = run_as.command(Identity(NOBODY, NOBODY, ()), [candidate, "-I", "-S", "-c", "import dataclasses"])
            if subprocess.run(command, capture_output=True).returncode == 0:
                return candidate
    pytest.skip("an ordinary user can run no Python here")


@needs_root
def test_whole_life_as_an_ordinary_user(directory: Path, programs_copy: Path) -> None:
    """An ordinary user makes, starts, provisions, checks and stops a cluster that belongs to it."""
    home = directory / "home"
    home.mkdir(mode=0o700)
    os.chown(home, NOBODY, NOBODY)
    for path in (directory / "programs", *(directory / "programs").rglob("*")):
        if path.is_dir():
            path.chmod(0o755)
    command = [sys.executable, "-m", "tests.dbinit.ordinary", str(NOBODY), str(home), str(programs_copy), interpreter()]
    ran = subprocess.run(command, capture_output=True, text=True)

    assert 0 == ran.returncode, ran.stderr
    found = json.loads(ran.stdout.splitlines()[-1])
    assert f"{home / 'data'}: cannot be used: Permission denied" in found.pop("refused").replace("/postgresql:", ":")
    assert {"created": True, "code": 0, "owner": NOBODY, "databases": 5, "violations": []} == found

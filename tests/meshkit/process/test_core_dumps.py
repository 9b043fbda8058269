"""No core dumps."""

import os
import signal
import subprocess
import sys
from pathlib import Path


def test_a_process_that_crashes_leaves_no_core_file(tmp_path: Path) -> None:
    """Also one that was allowed to write one before, and what it starts."""
    program = (
        "import os, signal, subprocess; from meshkit.process import core_dumps; core_dumps.forbid();"
        "subprocess.run(['sh', '-c', 'ulimit -c; ulimit -Hc']);"
        "os.kill(os.getpid(), signal.SIGSEGV)"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, [str(Path.cwd()), *sys.path]))}
    ran = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )

    assert (-signal.SIGSEGV, ["0", "0"]) == (ran.returncode, ran.stdout.split())
    assert [] == list(tmp_path.iterdir())

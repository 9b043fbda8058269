"""`feedmesh check`: what a configuration file would run, and all that is wrong with it."""

import json
import os
import subprocess
import sys
from pathlib import Path


def check(config: Path, as_json: bool) -> int:
    """Let the supervisor's program check a file and show its plan; return the exit code, 1 for one with faults."""
    command = [sys.executable, "-m", "services.supervisor", "--config", str(config.absolute()), "--check"]
    # There are no plugins of pydantic's to look for, which takes a tenth of the time.
    environment = {**os.environ, "PYDANTIC_DISABLE_PLUGINS": "__all__"}
    arguments = [*command, *(["--json"] if as_json else [])]
    ran = subprocess.run(arguments, capture_output=True, text=True, check=False, env=environment)
    if as_json and ran.returncode and not ran.stderr:
        sys.stderr.write(f"feedmesh: error: {json.loads(ran.stdout)['error']}\n")
    sys.stdout.write(ran.stdout)
    sys.stdout.flush()
    if ran.stderr:
        sys.stderr.write(f"feedmesh: {ran.stderr}")
    return ran.returncode

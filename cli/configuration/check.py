"""`feedmesh check`: what a configuration file would run, and all that is wrong with it."""

import contextlib
import io
import json
import os
import runpy
import sys
from pathlib import Path


def check(config: Path, as_json: bool) -> int:
    """Let the supervisor's program check a file and show its plan; return the exit code, 1 for one with faults."""
    arguments = ["--config", str(config.absolute()), "--check", *(["--json"] if as_json else [])]
    exit_code, output, errors = _run_supervisor(arguments)
    if as_json and exit_code and not errors:
        sys.stderr.write(f"feedmesh: error: {json.loads(output)['error']}\n")
    sys.stdout.write(output)
    sys.stdout.flush()
    if errors:
        sys.stderr.write(f"feedmesh: {errors}")
    return exit_code


def _run_supervisor(arguments: list[str]) -> tuple[int, str, str]:
    """
    Run the supervisor's program in this process, as another one's start would take most of the time.

    Returns the exit code and what it wrote on standard output and standard error.
    """
    # There are no plugins of pydantic's to look for, which takes a tenth of the time.
    os.environ["PYDANTIC_DISABLE_PLUGINS"] = "__all__"
    output, errors, ours = io.TextIOWrapper(io.BytesIO(), "utf-8"), io.StringIO(), sys.argv
    sys.argv = ["services.supervisor", *arguments]
    try:
        with contextlib.redirect_stdout(output), contextlib.redirect_stderr(errors):
            runpy.run_module("services.supervisor", run_name="__main__")
            ended: object = None
    except SystemExit as end:
        ended = end.code
    finally:
        sys.argv = ours
    output.seek(0)
    return ended if isinstance(ended, int) else int(ended is not None), output.read(), errors.getvalue()

"""The supervisor's process."""

import sys
from pathlib import Path

# structlog loads rich, if it is there, for a console format that we do not use: 7 MB.
sys.modules.setdefault("rich", None)  # type: ignore[arg-type]

from meshkit import log, runtime  # noqa: E402
from services.supervisor.app import supervise  # noqa: E402
from services.supervisor.apply import Planner  # noqa: E402
from services.supervisor.plan import plan_process  # noqa: E402


def run(path: Path, plan: Planner = plan_process.make) -> int:
    """Run the mesh of a configuration file until its end and return the exit code."""
    log.configure("supervisor")
    exit_code = 0

    async def main() -> None:
        nonlocal exit_code
        exit_code = await supervise(await plan(path), path, plan)

    runtime.run(main)
    return exit_code

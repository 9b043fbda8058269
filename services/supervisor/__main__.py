"""Run the supervisor: python -m services.supervisor --config configuration.json; with --check only show its plan."""

import argparse
import os
import sys
from pathlib import Path

from meshkit.process import core_dumps
from services.supervisor.process import orphan_killer
from services.supervisor.process.begun_program import begin_plan

# Children are started by exec only; grpc's fork handlers would only stand in the way. Read when grpc is loaded.
os.environ["GRPC_ENABLE_FORK_SUPPORT"] = "false"


def main() -> None:
    """Run the mesh of the file, exit with 0 or with the code of the service that was given up; or show the plan."""
    parser = argparse.ArgumentParser("python -m services.supervisor", description=__doc__)
    parser.add_argument("--config", type=Path, required=True, help="the configuration file")
    parser.add_argument("--check", action="store_true", help="check the file and show the plan, start nothing")
    parser.add_argument("--json", action="store_true", help="show it as JSON")
    parser.add_argument("--plan", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    core_dumps.forbid()
    if given.check or given.plan:
        from services.supervisor.plan import check_command

        environment = dict(os.environ)
        sys.exit(
            check_command.write_plan(given.config, environment)
            if given.plan
            else check_command.check(given.config, environment, as_json=given.json)
        )
    sys.exit(orphan_killer.with_orphan_killers(os.environ, lambda: _run(given.config.absolute())))


def _run(path: Path) -> int:
    # The plan is made while we load the rest.
    begun = begin_plan(path)
    from services.supervisor import app
    from services.supervisor.process import planning_process

    return app.run(path, planning_process.making(begun))


if __name__ == "__main__":
    main()

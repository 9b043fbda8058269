"""Run the supervisor: python -m services.supervisor --config configuration.json."""

import argparse
import os
import sys
from pathlib import Path

# Children are started by exec only; grpc's fork handlers would only stand in the way. Read when grpc is loaded.
os.environ["GRPC_ENABLE_FORK_SUPPORT"] = "false"


def main() -> None:
    """Read the configuration, run the mesh, exit with 0 or with the code of the service that was given up."""
    from meshkit import log, runtime
    from services.supervisor import assemble, parent
    from services.supervisor.supervise import supervise

    parser = argparse.ArgumentParser("python -m services.supervisor", description=__doc__)
    parser.add_argument("--config", type=Path, required=True, help="the configuration file")
    path = parser.parse_args().config
    log.configure("supervisor")
    exit_code = 0

    async def run() -> None:
        nonlocal exit_code
        parent.die_with_parent(os.environ)
        exit_code = await supervise(*assemble.assemble(path, os.environ))

    runtime.run(run)
    sys.exit(exit_code)


if __name__ == "__main__":
    main()

"""
The whole life of a cluster in one process, which is put somewhere else as a whole.

It loads everything first, because the user it becomes may be unable to enter the checkout. Arguments: user id (`-` to
stay who we are), directory, programs (`-` to look for them), and a Python interpreter the user can run. Prints one
JSON object.
"""

import asyncio
import encodings.idna  # noqa: F401  # asyncio loads it on the first connection
import json
import os
import signal
import sys
from pathlib import Path

from meshkit.process import exec_shim
from services.dbinit.bootstrap import bootstrap
from services.dbinit.cluster import server_launch
from services.dbinit.config import Settings
from services.dbinit.databases.isolation_check import check
from services.dbinit.databases.provision import provision
from tests.dbinit.server import answering, settings_in


async def use(settings: Settings) -> dict[str, object]:
    """Provision and check."""
    await answering(settings)
    provisioned = await provision(settings)
    checked = await check(settings)
    return {"databases": len(provisioned.databases), "violations": checked.violations}


def main() -> None:
    """Do everything and print what came of it."""
    user, directory, port, programs, interpreter = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), *sys.argv[4:6]
    if user != "-":
        exec_shim.become(int(user), int(user), ())
    sys.executable = interpreter
    bin_dir = None if programs == "-" else Path(programs)
    settings = settings_in(directory, bin_dir=bin_dir, total_nodes=2, port=port)
    made = bootstrap(settings)
    os.environ["FEEDMESH_RUN_DIR"] = str(settings.run_dir.path)
    pid = os.fork()
    if pid == 0:
        server_launch.run()
    try:
        used = asyncio.run(use(settings))
    finally:
        os.kill(pid, signal.SIGINT)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    owner = settings.place.data.stat().st_uid
    print(json.dumps({"pid": os.getpid(), "created": made.created, "code": code, "owner": owner, **used}))


main()

"""
The whole life of a cluster as an ordinary user, in a process that starts as root and gives root up.

It loads everything first, because the user may be unable to enter the checkout. Arguments: user id, directory,
programs, and a Python interpreter the user can run. Prints one JSON object.
"""

import asyncio
import encodings.idna  # noqa: F401  # asyncio loads it on the first connection
import json
import os
import signal
import sys
from pathlib import Path

from services.dbinit import launch, run_as
from services.dbinit.bootstrap import bootstrap
from services.dbinit.check import check
from services.dbinit.config import Settings
from services.dbinit.errors import PlaceUnusable
from services.dbinit.provision import provision
from services.dbinit.run_as import Identity
from tests.dbinit.server import answering, settings_in


async def use(settings: Settings) -> dict[str, object]:
    """Provision and check."""
    await answering(settings)
    provisioned = await provision(settings)
    checked = await check(settings)
    return {"databases": len(provisioned.databases), "violations": checked.violations}


def main() -> None:
    """Do everything and print what came of it."""
    uid, directory, bin_dir, interpreter = int(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]), sys.argv[4]
    run_as.become(Identity(uid, uid, ()))
    sys.executable = interpreter
    settings = settings_in(directory, bin_dir=bin_dir)
    refused = ""
    (directory / "data").mkdir(mode=0o500)
    try:
        bootstrap(settings)
    except PlaceUnusable as error:
        refused = str(error)
    (directory / "data").chmod(0o700)
    made = bootstrap(settings)
    os.environ["FEEDMESH_RUN_DIR"] = str(settings.run_dir.path)
    pid = os.fork()
    if pid == 0:
        launch.run()
    try:
        used = asyncio.run(use(settings))
    finally:
        os.kill(pid, signal.SIGINT)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    owner = settings.place.data.stat().st_uid
    print(json.dumps({"refused": refused, "created": made.created, "code": code, "owner": owner, **used}))


main()

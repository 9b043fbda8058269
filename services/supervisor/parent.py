"""Stop in order when the program that started the supervisor dies."""

import ctypes
import os
import signal
from collections.abc import Mapping

from meshkit.errors import FailedPrecondition
from services.supervisor.exec_shim import PR_SET_PDEATHSIG

VARIABLE = "FEEDMESH_PARENT"


def die_with_parent(environment: Mapping[str, str]) -> None:
    """
    Ask the kernel for SIGTERM when our parent ends, if FEEDMESH_PARENT names it.

    Raises FailedPrecondition if the parent is gone already.
    """
    if VARIABLE not in environment:
        return
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(signal.SIGTERM), 0, 0, 0)
    if str(os.getppid()) != environment[VARIABLE]:
        raise FailedPrecondition(f"the process {environment[VARIABLE]} that wanted this supervisor is gone")

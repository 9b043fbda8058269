"""
Become another program that dies with its parent: run as `python -I -S tied_exec.py PARENT PROGRAM…`.

The parent-death signal survives exec. It is asked for here and not between fork and exec of the parent, where a process
with threads may deadlock. Imports are few, so that it costs little.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1
FAILED = 125


def main(arguments: list[str]) -> int:
    """Ask for SIGKILL at the parent's death and become the program; return a code if that fails."""
    parent, command = int(arguments[0]), arguments[1:]
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        sys.stderr.write(f"prctl(PR_SET_PDEATHSIG): {os.strerror(ctypes.get_errno())}\n")
        return FAILED
    # The parent may have died before the signal was asked for; then it would never come.
    if os.getppid() != parent:
        return FAILED
    try:
        os.execv(command[0], command)  # noqa: S606 - there is no shell; becoming the program is the purpose
    except OSError as error:
        sys.stderr.write(f"cannot start {command[0]}: {error.strerror}\n")
        return FAILED


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

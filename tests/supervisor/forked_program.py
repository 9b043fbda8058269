"""
A program for fork servers: it tells what it finds, and does what it is told.

    python -m tests.supervisor.forked_program tell | wait | exit CODE
"""

import ctypes
import json
import os
import resource
import signal
import sys
import threading
from pathlib import Path

PR_GET_PDEATHSIG = 2


def found() -> dict[str, object]:
    """Return what this process is."""
    death = ctypes.c_int()
    ctypes.CDLL(None).prctl(PR_GET_PDEATHSIG, ctypes.byref(death))
    umask = os.umask(0o027)
    return {
        "pid": os.getpid(),
        "parent": os.getppid(),
        "session": os.getsid(0),
        "group": os.getpgid(0),
        "environment": sorted(os.environ),
        "umask": umask,
        "user": [os.getuid(), os.getgid(), os.getgroups()],
        "files": resource.getrlimit(resource.RLIMIT_NOFILE)[0],
        "core": resource.getrlimit(resource.RLIMIT_CORE),
        "oom": int(Path("/proc/self/oom_score_adj").read_text()),
        "death": death.value,
        "interrupt": signal.getsignal(signal.SIGINT) is signal.default_int_handler,
        "input": str(Path("/proc/self/fd/0").readlink()),
        "descriptors": sorted(int(name) for name in os.listdir("/proc/self/fd"))[:-1],  # noqa: PTH208  # its own is last
        "threads": threading.active_count(),
        "importer": getattr(sys.modules.get("tests.supervisor.forked_module"), "IMPORTER", 0),
        "argv": sys.argv[1:],
    }


def main() -> None:
    """Do what the first argument says."""
    match sys.argv[1:]:
        case ["tell"]:
            print(json.dumps(found()), flush=True)
        case ["wait"]:
            print("up", flush=True)
            signal.pause()
        case ["exit", code]:
            sys.exit(int(code))


if __name__ == "__main__":
    main()

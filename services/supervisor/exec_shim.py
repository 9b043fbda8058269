"""
Become a service: the last steps between fork and exec, run as `python -I -S exec_shim.py SIGNAL PARENT UMASK PROGRAM…`.

They are done by a program of its own, since code between fork and exec of a process with threads may deadlock, and
Popen's own options for them fall back from vfork to fork. Imports are few: this runs at every start of a service.
"""

import ctypes
import os
import resource
import signal
import sys

PR_SET_PDEATHSIG = 1
PARENT_IS_GONE = 125
CANNOT_EXECUTE = 126
NOT_FOUND = 127


def main(arguments: list[str]) -> int:
    """Set the parent-death signal, umask, limits and signals, then become the program; return a code if that fails."""
    death_signal, parent, umask = int(arguments[0]), int(arguments[1]), int(arguments[2], 8)
    command = arguments[3:]
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, death_signal, 0, 0, 0) != 0:
        return _fail(f"prctl(PR_SET_PDEATHSIG): {os.strerror(ctypes.get_errno())}", CANNOT_EXECUTE)
    # The parent may have died before the signal was asked for; then it would never come.
    if os.getppid() != parent:
        return PARENT_IS_GONE
    # A core dump would carry the secrets of the process.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.umask(umask)
    # Python ignores SIGPIPE, a shell's background job SIGINT; what is ignored stays so across exec.
    for number in (signal.SIGPIPE, signal.SIGINT, signal.SIGTERM, signal.SIGQUIT, signal.SIGHUP, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    try:
        os.execvpe(command[0], command, _environment())  # noqa: S606  # that is its purpose: there is no shell
    except FileNotFoundError as error:
        return _fail(f"{command[0]}: {error.strerror}", NOT_FOUND)
    except OSError as error:
        return _fail(f"{command[0]}: {error.strerror}", CANNOT_EXECUTE)


def _environment() -> dict[bytes, bytes]:
    """Return the environment we were given: Python has added LC_CTYPE to its own if there was no locale."""
    with open("/proc/self/environ", "rb") as file:  # noqa: PTH123  # pathlib would double this program's imports
        entries = file.read().split(b"\0")
    return dict(entry.split(b"=", 1) for entry in entries if b"=" in entry)


def _fail(problem: str, code: int) -> int:
    sys.stderr.write(f"cannot start: {problem}\n")
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

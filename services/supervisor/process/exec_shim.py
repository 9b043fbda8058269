"""
Become a service: the last steps between fork and exec, run as `python -I -S exec_shim.py NAME=VALUE… -- PROGRAM…`.

They are done by a program of its own, since code between fork and exec of a process with threads may deadlock, and
Popen's own options for them fall back from vfork to fork. Imports are few: this runs at every start of a service.

    death=9 parent=12 umask=027              always given
    directory=/path nice=5 oom=300           the working directory, and how the kernel treats the process
    limit=nofile:1024                        a soft limit, as far as the hard one allows; may be repeated
    own=/path uid=100 gid=100 groups=4,27    give a directory to a user, then become that user; `own` may be repeated
"""

import ctypes
import os
import resource
import signal
import sys
import warnings  # noqa: F401  # execvpe wants it, and after a change of the user our own library may be out of reach

PR_SET_PDEATHSIG = 1
PR_SET_NO_NEW_PRIVS = 38
PARENT_IS_GONE = 125
CANNOT_EXECUTE = 126
NOT_FOUND = 127


def main(arguments: list[str]) -> int:
    """Do the steps in an order in which each is still allowed, then become the program; return a code if one fails."""
    end = arguments.index("--")
    options = [option.split("=", 1) for option in arguments[:end]]
    command = arguments[end + 1 :]
    given = dict(options)
    # Before a change of the user, after which /proc belongs to root.
    environment = _environment()
    try:
        # A core dump would carry the secrets of the process.
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        for name, value in options:
            if name == "limit":
                _limit(*value.split(":"))
            elif name == "own":
                _give(value, int(given["uid"]), int(given["gid"]))
        if "oom" in given:
            _write("/proc/self/oom_score_adj", given["oom"])
        if "nice" in given:
            os.nice(int(given["nice"]))
        if "uid" in given:
            _become(int(given["uid"]), int(given["gid"]), [int(group) for group in given["groups"].split(",") if group])
        if "directory" in given:
            os.chdir(given["directory"])
        # A change of the user clears it, an exec keeps it.
        _prctl(PR_SET_PDEATHSIG, int(given["death"]))
    except OSError as error:
        return _fail(f"{error.filename or command[0]}: {error.strerror}", CANNOT_EXECUTE)
    # The parent may have died before the signal was asked for; then it would never come.
    if os.getppid() != int(given["parent"]):
        return PARENT_IS_GONE
    os.umask(int(given["umask"], 8))
    # Python ignores SIGPIPE, a shell's background job SIGINT; what is ignored stays so across exec.
    for number in (signal.SIGPIPE, signal.SIGINT, signal.SIGTERM, signal.SIGQUIT, signal.SIGHUP, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    try:
        os.execvpe(command[0], command, environment)  # noqa: S606  # that is its purpose: there is no shell
    except FileNotFoundError as error:
        return _fail(f"{command[0]}: {error.strerror}", NOT_FOUND)
    except OSError as error:
        return _fail(f"{command[0]}: {error.strerror}", CANNOT_EXECUTE)


def _limit(name: str, wanted: str) -> None:
    number = getattr(resource, f"RLIMIT_{name.upper()}")
    hard = resource.getrlimit(number)[1]
    soft = int(wanted) if hard == resource.RLIM_INFINITY else min(int(wanted), hard)
    resource.setrlimit(number, (soft, hard))


def _give(directory: str, uid: int, gid: int) -> None:
    os.makedirs(directory, mode=0o700, exist_ok=True)  # noqa: PTH103  # pathlib would double this program's imports
    for parent, _, files in os.walk(directory):
        for path in (parent, *(f"{parent}/{file}" for file in files)):
            os.chown(path, uid, gid, follow_symlinks=False)


def _become(uid: int, gid: int, groups: list[int]) -> None:
    os.setgroups(groups)
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)
    _prctl(PR_SET_NO_NEW_PRIVS, 1)


def _prctl(option: int, value: int) -> None:
    if ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), "prctl")


def _write(path: str, text: str) -> None:
    with open(path, "w") as file:  # noqa: PTH123  # as above
        file.write(text)


def _environment() -> dict[bytes, bytes]:
    """Return the environment we were given: Python has added LC_CTYPE to its own if there was no locale."""
    with open("/proc/self/environ", "rb") as file:  # noqa: PTH123  # as above
        entries = file.read().split(b"\0")
    return dict(entry.split(b"=", 1) for entry in entries if b"=" in entry)


def _fail(problem: str, code: int) -> int:
    sys.stderr.write(f"cannot start: {problem}\n")
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""
Become another program: the last steps between fork and exec.

    python -I -S exec_shim.py NAME=VALUE… -- PROGRAM ARGUMENT…

They are done by a program of its own, since code between fork and exec of a process with threads may deadlock, and
Popen's own options for them fall back from vfork to fork. It imports nothing but the standard library, little of that,
and all of it before the user changes: afterwards even Python's own files may be out of reach, below a home directory
for instance. `command` makes the command line:

    death=9 parent=12 umask=027              always given: the signal at the parent's death, the parent's process id
    limit=nofile:1024                        a soft limit, as far as the hard one allows; may be repeated
    place=2750:14:/path                      make a directory with this mode and group for the user; may be repeated
    own=/path                                give a directory, with all that is in it, to the user; may be repeated
    enter=/path                              let the user pass through a directory of somebody else; may be repeated
    copy=/from:/to                           make a copy that only the user can read; may be repeated
    link=/path:target                        make a symbolic link; may be repeated
    oom=300                                  who goes first when memory is short: added to what our parent has
    uid=100 gid=100 groups=4,27              become that user for good
    directory=/path                          the working directory
    reach=/path                              print the first directory on the way there that cannot be entered, and end
"""

import ctypes
import errno
import os
import resource
import signal
import sys
import warnings  # noqa: F401  # execvpe wants it, and after a change of the user our own library may be out of reach

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
PR_SET_NO_NEW_PRIVS = 38
PARENT_IS_GONE = 125
CANNOT_EXECUTE = 126
NOT_FOUND = 127

# An orchestrator may have given the whole container a value of its own; to go below it takes a right.
_OOM = "/proc/self/oom_score_adj"
_MOST_OOM = 1000
_RESET = (signal.SIGPIPE, signal.SIGINT, signal.SIGTERM, signal.SIGQUIT, signal.SIGHUP, signal.SIGXFSZ)


def command(
    program: list[str],
    *,
    death: signal.Signals = signal.SIGKILL,
    umask: int = 0o027,
    user: tuple[int, int, tuple[int, ...]] | None = None,
    places: tuple[tuple[str, int, int], ...] = (),
    owned: tuple[str, ...] = (),
    entered: tuple[str, ...] = (),
    copies: tuple[tuple[str, str], ...] = (),
    links: tuple[tuple[str, str], ...] = (),
    limits: dict[str, int] | None = None,
    oom_score_adj: int | None = None,
    directory: str | None = None,
) -> list[str]:
    """
    Return the command that does the steps and becomes the program, as a child of this process.

    Args:
        program: the program and its arguments.
        death: the signal it gets when this process ends.
        umask: its file mode creation mask.
        user: user id, group id and supplementary groups of the user it becomes; None to keep ours.
        places: directories that are made for that user, each with its mode and group id.
        owned: directories that are given to that user, made if they are missing.
        entered: directories that stay their owners', and through which that user must come.
        copies: files that are copied for that user, from where and to where.
        links: symbolic links that are made, and what they lead to.
        limits: soft limits by their names without RLIMIT_, for example nofile.
        oom_score_adj: added to our own /proc/self/oom_score_adj, which is more than ours, so that it needs no right;
            None to keep ours.
        directory: its working directory; None to keep ours.
    """
    options = [f"death={int(death)}", f"umask={umask:o}"]
    options += [f"limit={name}:{value}" for name, value in (limits or {}).items()]
    options += [f"place={mode:o}:{gid}:{path}" for path, mode, gid in places]
    options += [f"own={path}" for path in owned]
    options += [f"enter={path}" for path in entered]
    options += [f"copy={source}:{target}" for source, target in copies]
    options += [f"link={path}:{target}" for path, target in links]
    options += [] if oom_score_adj is None else [f"oom={oom_score_adj}"]
    options += [] if directory is None else [f"directory={directory}"]
    return [*_prefix(options, user), "--", *program]


def steps_of(command: list[str]) -> list[str]:
    """Return the steps in what `command` has made, for `take_steps`."""
    return command[command.index(os.path.abspath(__file__)) + 1 : command.index("--")]  # noqa: PTH100  # as above


def reach_command(path: str, user: tuple[int, int, tuple[int, ...]] | None) -> list[str]:
    """Return the command that prints the first directory on the way to a path that a user cannot enter, or nothing."""
    return [*_prefix([f"death={int(signal.SIGKILL)}", "umask=077", f"reach={path}"], user), "--"]


def _prefix(options: list[str], user: tuple[int, int, tuple[int, ...]] | None) -> list[str]:
    if user is not None:
        options += [f"uid={user[0]}", f"gid={user[1]}", f"groups={','.join(map(str, user[2]))}"]
    return [sys.executable, "-I", "-S", os.path.abspath(__file__), f"parent={os.getpid()}", *options]  # noqa: PTH100


def prctl(option: int, value: int) -> None:
    """Set an option of this process, by the system call of that name; raises OSError."""
    if ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), "prctl")


def die_with_parent(parent: int, number: signal.Signals) -> bool:
    """
    Have the kernel send us this signal when our parent ends, and return whether `parent` still is our parent.

    It may have died before the signal was asked for; then it would never come. A change of the user clears the setting,
    so this comes after it; an exec keeps it.
    """
    prctl(PR_SET_PDEATHSIG, number)
    return os.getppid() == parent


def become(uid: int, gid: int, groups: tuple[int, ...]) -> None:
    """Give up our user for good. Raises OSError if we are not allowed to change it."""
    os.setgroups(groups)
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)
    prctl(PR_SET_NO_NEW_PRIVS, 1)


def replace(program: list[str], environment: dict[str, str] | dict[bytes, bytes]) -> None:
    """Become the program, with all signals as they are by default; raises OSError if it cannot be executed."""
    # Python ignores SIGPIPE, a shell's background job SIGINT; what is ignored stays so across exec.
    for number in _RESET:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    os.execvpe(program[0], program, environment)  # noqa: S606  # that is its purpose: there is no shell


def main(arguments: list[str]) -> int:
    """Do the steps in an order in which each is still allowed, then become the program; return a code if one fails."""
    end = arguments.index("--")
    program = arguments[end + 1 :]
    # Before a change of the user, after which /proc belongs to root.
    environment = _environment()
    given = dict(option.split("=", 1) for option in arguments[:end])
    if (code := take_steps(arguments[:end], program)) is not None:
        return code
    if "reach" in given:
        sys.stdout.write(_obstacle(given["reach"]))
        return 0
    try:
        replace(program, environment)
    except FileNotFoundError as error:
        return _fail(f"{program[0]}: {error.strerror}", NOT_FOUND)
    except OSError as error:
        return _fail(f"{program[0]}: {error.strerror}", CANNOT_EXECUTE)
    raise AssertionError("an exec does not return")


def take_steps(steps: list[str], program: list[str]) -> int | None:
    """Do the steps before the program's start, in this process; return a code if one fails, which has been told."""
    options = [option.split("=", 1) for option in steps]
    given = dict(options)
    try:
        # A core dump would carry the secrets of the process.
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        os.umask(0o022)
        for name, value in options:
            if name == "limit":
                _limit(*value.split(":"))
            elif name == "place":
                mode, gid, path = value.split(":", 2)
                _place(path, int(mode, 8), int(given["uid"]), int(gid))
            elif name == "own":
                _give(value, int(given["uid"]), int(given["gid"]))
            elif name == "enter":
                _enter(value, int(given["uid"]), int(given["gid"]))
            elif name == "copy":
                source, target = value.split(":")
                _copy(source, target, int(given["uid"]), int(given["gid"]))
            elif name == "link":
                _link(*value.split(":"))
        if "oom" in given:
            _write(_OOM, str(min(_MOST_OOM, int(_read(_OOM)) + int(given["oom"]))))
        if "uid" in given:
            groups = tuple(int(group) for group in given["groups"].split(",") if group)
            become(int(given["uid"]), int(given["gid"]), groups)
        if "directory" in given:
            os.chdir(given["directory"])
        if not die_with_parent(int(given["parent"]), signal.Signals(int(given["death"]))):
            return _fail("the parent process has ended", PARENT_IS_GONE)
    except OSError as error:
        return _fail(f"{error.filename or program[0]}: {error.strerror}", CANNOT_EXECUTE)
    os.umask(int(given["umask"], 8))
    return None


def _limit(name: str, wanted: str) -> None:
    number = getattr(resource, f"RLIMIT_{name.upper()}")
    hard = resource.getrlimit(number)[1]
    soft = int(wanted) if hard == resource.RLIM_INFINITY else min(int(wanted), hard)
    resource.setrlimit(number, (soft, hard))


def _place(path: str, mode: int, uid: int, gid: int) -> None:
    os.makedirs(path, mode=0o755, exist_ok=True)  # noqa: PTH103  # pathlib would double this program's imports
    found = os.stat(path)  # noqa: PTH116  # as above
    # What is right stays untouched: changing what is another's takes a right that we may not have.
    if (found.st_uid, found.st_gid, found.st_mode & 0o7777) == (uid, gid, mode):
        return
    # The mode is set while the directory is ours, group included: so CAP_CHOWN is enough, without FOWNER and FSETID.
    os.chown(path, os.geteuid(), os.getegid())
    os.chmod(path, mode)  # noqa: PTH101  # as above
    os.chown(path, uid, gid)


def _copy(source: str, target: str, uid: int, gid: int) -> None:
    new = f"{target}.new"
    with open(source, "rb") as file:  # noqa: PTH123  # as above
        content = file.read()
    # It appears whole and is never another's to read.
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        os.fchown(descriptor, uid, gid)
        file.write(content)
    os.replace(new, target)  # noqa: PTH105  # as above


def _link(path: str, target: str) -> None:
    if os.path.lexists(path):
        os.unlink(path)  # noqa: PTH108  # as above
    os.symlink(target, path)  # noqa: PTH211  # as above


def _give(directory: str, uid: int, gid: int) -> None:
    os.makedirs(directory, mode=0o700, exist_ok=True)  # noqa: PTH103  # pathlib would double this program's imports
    for parent, _, files in os.walk(directory):
        for path in (parent, *(f"{parent}/{file}" for file in files)):
            found = os.lstat(path)  # as above
            if (found.st_uid, found.st_gid) != (uid, gid):  # the disk may be one that nobody can write
                os.chown(path, uid, gid, follow_symlinks=False)


def _enter(directory: str, uid: int, gid: int) -> None:
    found = os.stat(directory)  # noqa: PTH116  # as above
    if found.st_mode & 0o001 or found.st_uid == uid or (found.st_mode & 0o010 and found.st_gid == gid):
        return
    if found.st_mode & 0o070:
        # Its group is another's, and would lose what it has.
        raise PermissionError(
            errno.EACCES, f"user {uid} cannot enter it: chmod o+x it, or chgrp it to {gid}", directory
        )
    # As in _place, so that no right over others' files is needed.
    os.chown(directory, os.geteuid(), gid)
    os.chmod(directory, found.st_mode & 0o7777 | 0o010)  # noqa: PTH101, S103  # as above; to pass, not to read
    os.chown(directory, found.st_uid, -1)


def _obstacle(path: str) -> str:
    """Return the first directory from the root down to `path`, itself included, that we cannot enter, or nothing."""
    parts = path.rstrip("/").split("/")
    directories = ["/".join(parts[:length]) or "/" for length in range(1, len(parts) + 1)]
    return next((directory for directory in directories if not os.access(directory, os.X_OK)), "")


def _read(path: str) -> str:
    with open(path) as file:  # noqa: PTH123  # as above
        return file.read()


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

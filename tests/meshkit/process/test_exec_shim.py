"""The last steps before a program."""

import os
import shlex
import signal
import subprocess
from pathlib import Path

import pytest

from meshkit.process import exec_shim


def run(command: list[str], **options: str) -> subprocess.CompletedProcess[str]:
    """Run a command, with other options of the shim than it has."""
    for name, value in options.items():
        place = next(index for index, word in enumerate(command) if word.startswith(f"{name}="))
        command[place] = f"{name}={value}"
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)


def test_directory_umask_and_limits(tmp_path: Path) -> None:
    """The program has what it was given, no core dumps, and as much of a limit as the hard one allows."""
    program = ["/bin/sh", "-c", "pwd; umask; ulimit -n; ulimit -c"]
    command = exec_shim.command(program, umask=0o077, directory=str(tmp_path), limits={"nofile": 77})

    assert [str(tmp_path), "0077", "77", "0"] == run(command).stdout.split()


def test_the_environment_is_passed_as_it_is() -> None:
    """Nothing is added, although Python adds a variable to its own without a locale."""
    ran = subprocess.run(exec_shim.command(["/usr/bin/env"]), env={"A": "1"}, capture_output=True, text=True)

    assert "A=1\n" == ran.stdout


def test_signals_are_as_they_are_by_default() -> None:
    """What the parent ignores is not ignored by the program."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        ran = run(exec_shim.command(["/bin/sh", "-c", "kill -INT $$; echo survived"]))
    finally:
        signal.signal(signal.SIGINT, before)

    assert (-signal.SIGINT, "") == (ran.returncode, ran.stdout)


def test_a_missing_directory() -> None:
    """The message says which directory it is, and the code is that of a program that cannot be executed."""
    ran = run(exec_shim.command(["true"], directory="/nowhere"))

    assert (exec_shim.CANNOT_EXECUTE, "cannot start: /nowhere: No such file or directory\n") == (
        ran.returncode,
        ran.stderr,
    )


@pytest.mark.parametrize(
    ("program", "code", "words"),
    [
        ("/nowhere/program", exec_shim.NOT_FOUND, "/nowhere/program: No such file or directory"),
        ("/etc/passwd", exec_shim.CANNOT_EXECUTE, "/etc/passwd: Permission denied"),
    ],
)
def test_a_program_that_cannot_be_executed(program: str, code: int, words: str) -> None:
    """The message says why, and the code is a shell's."""
    ran = run(exec_shim.command([program]))

    assert (code, f"cannot start: {words}\n") == (ran.returncode, ran.stderr)


def test_it_gives_up_when_its_parent_is_gone() -> None:
    """A parent that is not its parent has died before the death signal was set."""
    ran = run(exec_shim.command(["echo", "never"]), parent="1")

    assert (exec_shim.PARENT_IS_GONE, "") == (ran.returncode, ran.stdout)


def test_it_needs_no_package() -> None:
    """Without site packages and without our own path it runs, so that no library delays a start or is out of reach."""
    assert ["-I", "-S"] == exec_shim.command(["true"])[1:3]
    assert 0 == run(exec_shim.command(["true"])).returncode


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_user_and_groups(run_dir: Path) -> None:
    """The program is the user for good, with its groups only, and owns what it was given, which is made if missing."""
    run_dir.chmod(0o711)
    own = run_dir / "own"
    program = ["/bin/sh", "-c", f"id -u; id -g; id -G; stat -c %u {own}; grep NoNewPrivs /proc/self/status"]
    command = exec_shim.command(program, user=(54_321, 54_322, (54_322, 54_323)), owned=(str(own),))

    assert ["54321", "54322", "54322 54323", "54321", "NoNewPrivs:\t1"] == run(command).stdout.splitlines()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
@pytest.mark.parametrize("closed", ["", "/a", "/a/b"])
def test_reach(run_dir: Path, closed: str) -> None:
    """The first directory on the way that the user cannot enter is printed, or nothing."""
    (run_dir / "a/b/c").mkdir(parents=True)
    for directory in (run_dir, run_dir / "a", run_dir / "a/b", run_dir / "a/b/c"):
        directory.chmod(0o711)
    if closed:
        (run_dir / closed[1:]).chmod(0o700)
    ran = run(exec_shim.reach_command(f"{run_dir}/a/b/c", (65534, 65534, ())))

    assert (0, f"{run_dir}{closed}" if closed else "") == (ran.returncode, ran.stdout)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")
def test_what_a_user_needs_is_made_for_it(run_dir: Path) -> None:
    """Directories, copies and links are there before the user is; a second time changes nothing of what is right."""
    run_dir.chmod(0o711)
    secret, own, link = run_dir / "secret", run_dir / "deep" / "own", run_dir / "link"
    secret.write_text("one")
    secret.chmod(0o600)
    command = exec_shim.command(
        ["/bin/sh", "-c", f"cat {own}/copy; stat -c '%a %u %g' {own} {own}/copy; readlink {link}; cat {secret}"],
        user=(54_321, 54_322, ()),
        places=((str(own), 0o2750, 54_323),),
        copies=((str(secret), str(own / "copy")),),
        links=((str(link), "deep/own/copy"),),
    )
    for content in ("one", "two"):
        secret.write_text(content)
        ran = run(command)

        assert f"{content}2750 54321 54323\n600 54321 54322\ndeep/own/copy\n" == ran.stdout
        assert "Permission denied" in ran.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
@pytest.mark.parametrize(
    ("mode", "group", "after", "words"),
    [
        (0o700, 0, (0o710, 54_322), "inside"),
        (0o710, 54_322, (0o710, 54_322), "inside"),
        (0o755, 7, (0o755, 7), "inside"),
        (0o750, 7, (0o750, 7), "user 54321 cannot enter it: chmod o+x it"),
    ],
)
def test_a_user_is_let_through_a_closed_directory(
    run_dir: Path, mode: int, group: int, after: tuple[int, int], words: str
) -> None:
    """A directory of its owner alone lets the user's group pass; one that another group may enter is named."""
    run_dir.chmod(0o711)
    closed = run_dir / "closed"
    (closed / "own").mkdir(parents=True)
    os.chown(closed, -1, group)
    closed.chmod(mode)
    program = ["/bin/sh", "-c", f"cd {closed}/own && echo inside; ls {closed} >/dev/null"]
    ran = run(exec_shim.command(program, user=(54_321, 54_322, ()), entered=(str(closed),), owned=(f"{closed}/own",)))
    found = closed.stat()

    assert words in ran.stdout + ran.stderr
    assert (0, *after) == (found.st_uid, found.st_mode & 0o777, found.st_gid)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")
@pytest.mark.parametrize("owner", [0, 54_399])
def test_what_a_container_need_not_be_allowed(run_dir: Path, owner: int) -> None:
    """A directory hands on its group, whosever it was, without the rights to set others' modes and such bits."""
    run_dir.chmod(0o711)
    own = run_dir / "own"
    own.mkdir(0o700)
    os.chown(own, owner, owner)
    command = exec_shim.command(
        ["/bin/sh", "-c", f"touch {own}/made; stat -c '%a %u %g' {own}; stat -c %g {own}/made"],
        user=(54_321, 54_322, ()),
        places=((str(own), 0o2750, 54_323),),
    )
    ran = run([*_without("fsetid,-fowner"), *command])

    assert "2750 54321 54323\n54323\n" == ran.stdout, ran.stderr


@pytest.mark.parametrize(
    ("had", "added", "expected"), [(0, 100, 100), (500, 100, 600), (950, 100, 1000), (700, 0, 700)]
)
def test_who_goes_first_counts_from_what_the_parent_has(had: int, added: int, expected: int) -> None:
    """Where an orchestrator has given the container a value, the service's is added to it, and no right is needed."""
    shim = shlex.join(exec_shim.command(["cat", "/proc/self/oom_score_adj"], oom_score_adj=added))
    # The shell stays the parent that the shim was told of: it is replaced by nothing.
    shim = shim.replace(f"parent={os.getpid()}", "parent=$$")
    ran = run([*_without("sys_resource"), "sh", "-c", f"echo {had} > /proc/self/oom_score_adj; {shim}; exit $?"])

    assert f"{expected}\n" == ran.stdout, ran.stderr


def _without(right: str) -> list[str]:
    return ["setpriv", "--bounding-set", f"-{right}", "--"] if os.geteuid() == 0 else []

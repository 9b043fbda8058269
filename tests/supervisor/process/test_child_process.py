"""One real process."""

import asyncio
import os
import resource
import signal
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from meshkit.process import exec_shim
from services.supervisor.plan.service_spec import Identity, ServiceSpec
from services.supervisor.process.child_process import ChildProcess
from tests.supervisor.fakes import deaf, no_process_left, shell

OWNED: set[int] = set()


class Watched:
    """A child whose output and exit code are kept."""

    def __init__(self, spec: ServiceSpec) -> None:
        self.output = b""
        self.code = asyncio.get_running_loop().create_future()
        self.child = ChildProcess(spec, OWNED, self._take, self.code.set_result)

    def _take(self, piece: bytes) -> None:
        self.output += piece

    async def wrote(self, text: bytes) -> None:
        """Wait until it has written the text."""
        async with asyncio.timeout(5):
            while text not in self.output:  # noqa: ASYNC110  # the child has no event to offer
                await asyncio.sleep(0.005)

    async def ended(self) -> int:
        """Wait for its exit code."""
        async with asyncio.timeout(5):
            return int(await self.code)


@pytest.mark.parametrize(
    ("script", "code"), [("exit 0", 0), ("exit 7", 7), ("kill -9 $$", -9), ("kill -PIPE $$", -signal.SIGPIPE)]
)
async def test_exit_code(script: str, code: int) -> None:
    """The code is the exit status, or the negated signal; SIGPIPE kills as it does by default."""
    assert code == await Watched(shell("a", script)).ended()


async def test_all_output_comes_before_the_exit() -> None:
    """Both streams are read in order to their end, also more than a pipe holds."""
    watched = Watched(shell("a", "echo out; echo err >&2; seq 200000; printf end"))
    await watched.ended()

    assert watched.output.startswith(b"out\nerr\n1\n")
    assert watched.output.endswith(b"200000\nend")


async def test_environment_session_umask_and_limits() -> None:
    """The child has the listed environment only, leads its session and group, and cannot dump core."""
    script = "env; umask; ulimit -c; echo $$ $(ps -o pgid=,sid= -p $$); readlink /proc/self/fd/0; ls /proc/self/fd"
    spec = replace(shell("a", script), environment={"PATH": os.environ["PATH"], "ONLY": "this"})
    watched = Watched(spec)
    await watched.ended()
    lines = watched.output.decode().split("\n")
    variables = {line.split("=")[0] for line in lines if "=" in line}
    rest = [line for line in lines if "=" not in line]
    pid = str(watched.child.pid)

    assert {"PATH", "ONLY", "PWD", "_", "OLDPWD", "SHLVL"} >= variables >= {"PATH", "ONLY"}
    assert ["0027", "0"] == rest[:2]
    assert [pid, pid, pid] == rest[2].split()
    assert "/dev/null" == rest[3]
    assert {"0", "1", "2", "3"} == set(rest[4:]) - {""}


async def test_limits_and_priority() -> None:
    """Soft limits go no further than the hard ones; the OOM score is the given one."""
    script = "ulimit -n; ulimit -c; cat /proc/self/oom_score_adj"
    watched = Watched(replace(shell("a", script), limits={"nofile": 77}, oom_score_adj=123))
    await watched.ended()
    most = Watched(replace(shell("a", "ulimit -n; ulimit -Hn"), limits={"nofile": 10**9}))
    await most.ended()
    soft, hard = most.output.split()

    assert ["77", "0", "123"] == watched.output.decode().split()
    assert soft == hard


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
async def test_user(run_dir: Path) -> None:
    """The process is another user for good, owns its directory, still dies with us, and cannot gain anything."""
    run_dir.chmod(0o711)
    own = run_dir / "own"
    own.mkdir(mode=0o700)
    (own / "secret").write_text("mine")
    (own / "secret").chmod(0o600)
    script = (
        f"id -u; id -g; id -G; cat {own}/secret; echo; grep NoNewPrivs /proc/self/status;"
        " touch /etc/feedmesh || echo kept out"
    )
    watched = Watched(replace(shell("a", script), identity=Identity(54_321, 54_322, owned=(own,))))
    await watched.ended()
    lines = watched.output.decode().splitlines()

    assert ["54321", "54322", "54322", "mine", "NoNewPrivs:\t1"] == lines[:5]
    assert "kept out" == lines[-1]


async def test_its_pid_is_owned_while_it_runs() -> None:
    """Nobody else may wait for it until its exit code was taken."""
    watched = Watched(shell("a", "exit 0"))
    during = watched.child.pid in OWNED
    await watched.ended()

    assert (True, False) == (during, watched.child.pid in OWNED)


async def test_ignored_signals_of_the_supervisor_are_not_inherited() -> None:
    """A supervisor in a shell's background ignores SIGINT; its children do not."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        watched = Watched(shell("a", "echo up; exec sleep 1000"))
    finally:
        signal.signal(signal.SIGINT, before)
    await watched.wrote(b"up")
    watched.child.signal(signal.SIGINT)

    assert -signal.SIGINT == await watched.ended()


async def test_the_whole_group_gets_the_signal() -> None:
    """A grandchild ends with its group; a leader-only signal spares it."""
    watched = Watched(shell("a", "trap 'echo term' TERM; sleep 1000 & echo up $!; wait; wait; exit 0"))
    await watched.wrote(b"up")
    grandchild = int(watched.output.split()[1])
    with no_process_left([grandchild]):
        watched.child.signal(signal.SIGTERM, leader_only=True)
        await watched.wrote(b"term")

        assert psutil.Process(grandchild).is_running()

        watched.child.signal(signal.SIGTERM)

        assert 0 == await watched.ended()


async def test_grandchildren_die_with_the_leader() -> None:
    """When the leader ends by itself, what is left of its group is killed."""
    watched = Watched(shell("a", "(trap '' TERM HUP; exec sleep 1000) & echo $!; exit 3"))
    await watched.wrote(b"\n")
    with no_process_left([int(watched.output)]):
        assert 3 == await watched.ended()


async def test_a_stray_grandchild_with_the_pipe_does_not_hold_up_the_exit() -> None:
    """The exit is reported though a process of another session still has the output open."""
    watched = Watched(shell("a", "setsid sh -c 'echo $$; exec sleep 1000' & sleep 0.1; exit 4"))
    await watched.wrote(b"\n")
    stray = psutil.Process(int(watched.output))
    try:
        assert 4 == await watched.ended()
        assert stray.is_running()
    finally:
        stray.kill()


async def test_closing_its_output_is_no_exit() -> None:
    """A child without stdout and stderr lives on, and its end is seen."""
    watched = Watched(shell("a", "echo up; exec >&- 2>&-; sleep 0.2; exit 5"))
    await watched.wrote(b"up")

    assert 5 == await watched.ended()


async def test_a_stopped_group_is_woken_for_its_signal() -> None:
    """After SIGSTOP, SIGTERM waits until `wake`."""
    watched = Watched(shell("a", "echo up; exec sleep 1000"))
    await watched.wrote(b"up")
    watched.child.signal(signal.SIGSTOP)
    watched.child.signal(signal.SIGTERM)
    watched.child.wake()

    assert -signal.SIGTERM == await watched.ended()


async def test_sigkill_ends_a_deaf_one() -> None:
    """SIGTERM does nothing to it, SIGKILL does; signals afterwards are harmless."""
    watched = Watched(deaf("a"))
    await watched.wrote(b"deaf")
    watched.child.signal(signal.SIGTERM)
    watched.child.signal(signal.SIGKILL)

    assert -signal.SIGKILL == await watched.ended()

    watched.child.signal(signal.SIGTERM)


@pytest.mark.parametrize(
    ("program", "code", "words"),
    [
        ("/nowhere/program", exec_shim.NOT_FOUND, b"/nowhere/program: No such file"),
        ("/etc/passwd", exec_shim.CANNOT_EXECUTE, b"/etc/passwd: Permission denied"),
    ],
)
async def test_a_program_that_cannot_be_executed(program: str, code: int, words: bytes) -> None:
    """The shim says why and exits as a shell does."""
    watched = Watched(replace(shell("a", ""), command=(program,)))

    assert code == await watched.ended()
    assert words in watched.output


def test_core_limit_of_this_process_is_untouched() -> None:
    """Limits are the child's: the supervisor keeps its own."""
    before = resource.getrlimit(resource.RLIMIT_CORE)

    async def run() -> int:
        return await Watched(shell("a", "exit 0")).ended()

    assert 0 == asyncio.run(run())
    assert before == resource.getrlimit(resource.RLIMIT_CORE)

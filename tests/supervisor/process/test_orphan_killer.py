"""Whichever of the supervisor's three processes is killed, nothing of the mesh survives."""

import os
import signal
import subprocess
import sys

import psutil
import pytest

from services.supervisor.process.orphan_killer import PARENT_VARIABLE, with_orphan_killers
from tests.supervisor.fakes import no_process_left
from tests.supervisor.started import Start, Supervisor
from tests.waiting import until

ROLES = ("outer killer", "inner killer", "supervisor")


def role(supervisor: Supervisor, name: str) -> psutil.Process:
    """Return one of the three processes."""
    outer = psutil.Process(supervisor.process.pid)
    (inner,) = outer.children()
    (innermost,) = inner.children()
    assert supervisor.pid == innermost.pid
    return dict(zip(ROLES, (outer, inner, innermost), strict=True))[name]


@pytest.mark.parametrize("killed", ROLES)
@pytest.mark.parametrize("hangs", [False, True], ids=["runs", "hangs"])
async def test_nothing_survives_a_kill(start: Start, killed: str, hangs: bool) -> None:
    """Services, their children and children that left the session go, though the supervisor itself may hang."""
    supervisor = start("brood")
    await supervisor.pids()
    await until(lambda: len(supervisor.tree) == 5, "the service, its child and its child in another session")
    with no_process_left(supervisor.tree):
        victim = role(supervisor, killed)
        if hangs:
            role(supervisor, "supervisor").suspend()
        victim.kill()
        code, _ = supervisor.end()

    assert (-signal.SIGKILL if killed == "outer killer" else 128 + signal.SIGKILL) == code


async def test_signals_and_the_exit_code_go_through(start: Start) -> None:
    """A stop asked of the outer killer is the supervisor's, and so is the code; a terminal reaches it alone."""
    supervisor = start("chain")
    with no_process_left(await supervisor.pids()):
        # A terminal sends Ctrl-C to the group of the process that was started in it.
        group = os.getpgid(supervisor.process.pid)
        assert group != os.getpgid(supervisor.pid)
        supervisor.process.send_signal(signal.SIGINT)
        code, output = supervisor.end()

    assert 0 == code
    assert "received SIGINT" in output


def test_a_parent_that_is_gone_already() -> None:
    """A pid that is not our parent's means that it died before we asked for its death."""
    with pytest.raises(SystemExit, match="the process 1000000 that wanted this supervisor is gone"):
        with_orphan_killers({PARENT_VARIABLE: "1000000"}, lambda: pytest.fail("it ran"))


def test_a_code_and_a_signal_become_the_killers_code() -> None:
    """A code passes as it is, a signal as 128 plus its number, as a shell says it."""
    script = (
        "import os, sys; from services.supervisor.process.orphan_killer import with_orphan_killers as above; "
        "sys.exit(above({}, lambda: "
    )
    codes = [
        subprocess.run([sys.executable, "-c", f"{script}{end}))"], check=False).returncode
        for end in ("7", "os.kill(os.getpid(), 15)", "sys.exit(3)")
    ]

    assert [7, 128 + signal.SIGTERM, 3] == codes

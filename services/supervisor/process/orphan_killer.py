"""
Two small processes above the supervisor, so that nothing survives it even if it is killed with SIGKILL.

    outer killer ── inner killer ── supervisor ── services ── whatever they start

The kernel gives the orphans of a dead process to the nearest living ancestor that asked for them (a subreaper), here an
orphan killer, which ends them all. One could not do it: somebody may kill just that one, with the supervisor below it
hanging. Of the three each is watched by another, so the kill of any one ends all. Signals given to the outer killer are
passed on, and its exit code is the supervisor's.

As PID 1 none is needed, since the kernel ends a whole PID namespace with its init.
"""

import os
import signal
import sys
from collections.abc import Callable, Container, Mapping
from typing import Final

from meshkit.process import exec_shim

PARENT_VARIABLE: Final = "FEEDMESH_PARENT"
_KILL_S: Final = 1.0
_PASSED_ON: Final = (
    *(signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGHUP),
    *(signal.SIGUSR1, signal.SIGUSR2),
)


def with_orphan_killers(environment: Mapping[str, str], run: Callable[[], int]) -> int:
    """
    Return in three processes: in the supervisor what `run` returns, in its two killers the same code after its end.

    A supervisor that a signal ended gives 128 plus the signal's number. If FEEDMESH_PARENT names our parent, the stop
    begins when that ends. Must be called before there are threads, and best before large imports, since a killer keeps
    what is loaded. Raises SystemExit if the parent is gone already.
    """
    if os.getpid() == 1:
        return run()
    if PARENT_VARIABLE in environment:
        parent = environment[PARENT_VARIABLE]
        if not parent.isdecimal() or not exec_shim.die_with_parent(int(parent), signal.SIGTERM):
            sys.exit(f"the process {parent} that wanted this supervisor is gone")
    return _above(lambda: _above(run, signal.SIGKILL, watch_parent=True), signal.SIGTERM, watch_parent=False)


def _above(run: Callable[[], int], death: signal.Signals, *, watch_parent: bool) -> int:
    """Fork, run in the child, which gets the signal `death` when we die; in the parent kill what it leaves behind."""
    be_subreaper(True)
    waited = {*_PASSED_ON, signal.SIGCHLD}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, waited)
    parent, ours = os.getppid(), os.getpid()
    child = os.fork()
    if child == 0:
        # Ctrl-C reaches the outer killer's group alone: passed on as well it would count twice.
        os.setpgid(0, 0)
        if not exec_shim.die_with_parent(ours, death):
            os._exit(128 + signal.SIGKILL)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        return run()
    while (status := _ended(child)) is None:
        number = signal.sigwaitinfo(waited).si_signo
        if watch_parent and os.getppid() != parent:
            status = signal.SIGKILL
            break
        if number != signal.SIGCHLD:
            os.kill(child, number)
    kill_children()
    code = os.waitstatus_to_exitcode(status)
    return 128 - code if code < 0 else code


def _ended(child: int) -> int | None:
    """Reap all that has ended and return the wait status of `child` if it is among them."""
    found = None
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return found
        if pid == 0:
            return found
        if pid == child:
            found = status


def kill_children(spared: Container[int] = ()) -> None:
    """Kill all children but the `spared`; the children of the killed become a subreaper's own, so there are rounds."""
    import psutil  # a killer needs it at its end alone

    while children := [process for process in psutil.Process().children() if process.pid not in spared]:
        for child in children:
            child.kill()
        if psutil.wait_procs(children, timeout=_KILL_S)[1]:
            return  # in an uninterruptible wait, where nobody can help


def be_subreaper(on: bool) -> None:
    """Ask the kernel for the orphans below us, or no longer."""
    exec_shim.prctl(exec_shim.PR_SET_CHILD_SUBREAPER, int(on))

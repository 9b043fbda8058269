"""One process of the operating system: started, read, signalled, reaped."""

import asyncio
import fcntl
import os
import signal
import subprocess
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from meshkit.process import exec_shim
from services.supervisor.plan.service_spec import ServiceSpec
from services.supervisor.process.forked_process import ForkedProcess, ForkServers

_READ_BYTES: Final = 65_536
_PIPE_BYTES: Final = 262_144
# More than a pipe can hold: what a process wrote before its end is read, a grandchild that goes on is not.
_LAST_READS: Final = 2 * _PIPE_BYTES // _READ_BYTES + 1


class ChildProcess:
    """
    A process in a session and process group of its own, with the given environment and nothing else.

    Must be made on the main thread, because the kernel sends the parent-death signal when the *thread* that forked
    ends. `on_output` gets what it writes, both streams in one, in pieces of any size; `on_exit` gets its code once, a
    negative one for a signal, after its last output. While it runs its pid is in `owned`, since nothing else may wait
    for it. It is forked if `forks` can do that. Raises OSError if the process cannot be made.
    """

    def __init__(
        self,
        spec: ServiceSpec,
        owned: set[int],
        on_output: Callable[[bytes], None],
        on_exit: Callable[[int], None],
        forks: ForkServers | None = None,
    ) -> None:
        self._owned = owned
        self._on_output = on_output
        self._on_exit = on_exit
        self._loop = asyncio.get_running_loop()
        self._output, write_end = os.pipe2(os.O_CLOEXEC)
        try:
            os.set_blocking(self._output, False)
            with suppress(OSError):  # an ordinary user may have used up what he may hold in pipes
                fcntl.fcntl(write_end, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
            self._process = _forked(spec, write_end, forks) or _started(spec, write_end)
        except OSError:
            os.close(self._output)
            raise
        finally:
            os.close(write_end)
        self.pid: Final = self._process.pid
        self._owned.add(self.pid)
        try:
            self._pidfd = os.pidfd_open(self.pid)
        except OSError:  # no descriptor left: a process whose end nobody would see must not live
            self.signal(signal.SIGKILL)
            self._process.wait()
            self._owned.discard(self.pid)
            os.close(self._output)
            raise
        self._loop.add_reader(self._output, self._readable)
        self._loop.add_reader(self._pidfd, self._ended)

    def signal(self, number: signal.Signals, *, leader_only: bool = False) -> None:
        """Send a signal to the whole group or to the leader; nothing happens if it has ended."""
        if self._process.returncode is not None:
            return
        # Until the leader is reaped its pid, and so its group, cannot be another's.
        send = os.kill if leader_only else os.killpg
        with suppress(ProcessLookupError):
            send(self.pid, number)

    def wake(self) -> None:
        """Continue a group that is stopped, so that it can act on a signal."""
        self.signal(signal.SIGCONT)

    def _readable(self) -> None:
        if self._read() is False:
            self._loop.remove_reader(self._output)

    def _read(self) -> bool | None:
        """Pass on one piece; False at the end of the output, None if there is nothing now."""
        try:
            piece = os.read(self._output, _READ_BYTES)
        except BlockingIOError:
            return None
        if piece:
            self._on_output(piece)
        return bool(piece)

    def _ended(self) -> None:
        self._loop.remove_reader(self._pidfd)
        self._loop.remove_reader(self._output)
        # Before the leader is reaped, so that its group's number is still its own.
        self.signal(signal.SIGKILL)
        code = self._process.wait()
        self._owned.discard(self.pid)
        for _ in range(_LAST_READS):
            if not self._read():
                break
        os.close(self._pidfd)
        os.close(self._output)
        self._on_exit(code)


def _forked(spec: ServiceSpec, output: int, forks: ForkServers | None) -> ForkedProcess | None:
    if forks is None or not spec.loaded_module:
        return None
    return forks.fork(spec, _command(spec), output)


def _started(spec: ServiceSpec, output: int) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        _command(spec),
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        env=dict(spec.environment),
        start_new_session=True,
    )


def _command(spec: ServiceSpec) -> list[str]:
    identity, limits = spec.identity, dict(spec.limits)
    if identity is None:
        return exec_shim.command(
            list(spec.command), death=spec.death_signal, limits=limits, oom_score_adj=spec.oom_score_adj
        )
    return exec_shim.command(
        list(spec.command),
        death=spec.death_signal,
        user=(identity.uid, identity.gid, identity.groups),
        places=tuple((str(each.path), each.mode, each.gid) for each in identity.directories),
        owned=tuple(map(str, identity.owned)),
        entered=tuple(map(str, identity.entered)),
        copies=tuple((str(each.source), str(each.target)) for each in identity.copies),
        links=tuple((str(each.path), each.target) for each in identity.links),
        limits=limits,
        oom_score_adj=spec.oom_score_adj,
    )

"""The supervisor's side of fork servers: processes that are made of a program which is loaded already."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from typing import Final

import orjson

from meshkit.log import get_logger
from meshkit.process import exec_shim
from services.supervisor.plan.service_spec import ServiceSpec
from services.supervisor.process import fork_server

# A fork takes milliseconds; meanwhile nothing else goes on here.
_ANSWER_S: Final = 1.0

_log = get_logger(__name__)


class ForkedProcess:
    """A child that we did not start ourselves, waited for as one of `subprocess.Popen`."""

    def __init__(self, pid: int) -> None:
        self.pid: Final = pid
        self.returncode: int | None = None

    def wait(self) -> int:
        """Return its exit code once it has ended, a negative one for a signal."""
        if self.returncode is None:
            self.returncode = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        return self.returncode


class ForkServers:
    """
    A fork server for each module that services want to have loaded; from the loop's thread only.

    They only save time: a service whose server is not ready, or is gone, is started as any other. A server that has
    ended is started again with the next service that wants it. While one runs its pid is in `owned`, since nothing else
    may wait for it. This process must adopt orphans, see `orphan_killer`.
    """

    def __init__(self, owned: set[int]) -> None:
        self._owned = owned
        self._servers: dict[str, _Server] = {}

    def prepare(self, spec: ServiceSpec) -> None:
        """Begin to load what a service wants to have loaded, if it wants that and nobody did."""
        if spec.loaded_module and spec.loaded_module not in self._servers:
            try:
                self._servers[spec.loaded_module] = _Server(spec, self._owned, self._servers)
            except OSError as error:
                _log.warning("fork_server_not_started", module=spec.loaded_module, error=str(error))

    def fork(self, spec: ServiceSpec, command: list[str], output: int) -> ForkedProcess | None:
        """
        Return a new child that runs the service's program and writes to `output`; None if it must be started.

        `command` is what `exec_shim.command` made for it.
        """
        self.prepare(spec)
        server = self._servers.get(spec.loaded_module)
        return None if server is None else server.fork(spec, exec_shim.steps_of(command), output)

    def close(self) -> None:
        """End the servers; what they have made goes on."""
        for server in list(self._servers.values()):
            server.end()


class _Server:
    """One server process, in `servers` until it has ended."""

    def __init__(self, spec: ServiceSpec, owned: set[int], servers: dict[str, "_Server"]) -> None:
        self._module = spec.loaded_module
        self._owned = owned
        self._servers = servers
        self._ready = False
        self._loop = asyncio.get_running_loop()
        self._requests, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            try:
                self._process = subprocess.Popen(
                    exec_shim.command(
                        [sys.executable, "-m", fork_server.__name__, self._module, fork_server.TITLE_ROOM]
                    ),
                    stdin=theirs.fileno(),
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    env=dict(spec.environment),
                    start_new_session=True,
                )
            except OSError:
                self._requests.close()
                raise
        self._owned.add(self._process.pid)
        self._requests.settimeout(_ANSWER_S)
        self._loop.add_reader(self._requests.fileno(), self._readable)

    def _readable(self) -> None:
        """Take what it says unasked: that it is ready, or what is wrong; all else is its end."""
        said = self._receive()
        if said == fork_server.READY:
            self._ready = True
        else:
            self._give_up(said)

    def _receive(self) -> str:
        try:
            return self._requests.recv(fork_server.MOST_BYTES).decode()
        except OSError as error:  # it hangs or has ended
            return error.strerror or "no answer in time"

    def _give_up(self, problem: str) -> None:
        self.end()
        consequence = "what it would have made is started in the usual way"
        _log.warning("fork_server_ended", module=self._module, problem=problem or "killed", consequence=consequence)

    def fork(self, spec: ServiceSpec, steps: list[str], output: int) -> ForkedProcess | None:
        if not self._ready:
            return None
        request = {"steps": steps, "program": spec.command, "environment": spec.environment}
        wait_end, start_end = os.pipe2(os.O_CLOEXEC)
        with os.fdopen(start_end, "wb", buffering=0) as start:
            try:
                socket.send_fds(self._requests, [orjson.dumps(request)], [output, wait_end])
                answer = self._receive()
            except OSError as error:
                answer = error.strerror or "no place for a request"
            finally:
                os.close(wait_end)
            if not answer.isdecimal():
                self._give_up(answer)
                return None
            process = ForkedProcess(int(answer))
            self._owned.add(process.pid)
            with suppress(BrokenPipeError):  # killed already, which its end will tell
                start.write(fork_server.GO)
            return process

    def end(self) -> None:
        """End it, whatever it does, and forget it."""
        self._servers.pop(self._module, None)
        self._loop.remove_reader(self._requests.fileno())
        self._requests.close()
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()
        self._owned.discard(self._process.pid)

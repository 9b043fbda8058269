"""
Load a program once and make processes of it by fork, since loading it takes each of them a second of processor time.

    supervisor ── python -m services.supervisor.process.fork_server MODULE
        │            request: steps, program, environment; where to write, what to wait for
        └── service ◀── forked twice, so that the supervisor becomes its parent, as of a process that it started itself

`MODULE` is imported before the first request, and nothing of the mesh's configuration or secrets is ever read here. The
forked process does what `exec_shim` does before an exec (limits, directories, user, death with its parent) and runs the
program's module as `python -m` does. All processes of one server have their memory laid out alike, so a server makes
services of one kind only, the nodes; see docs/threat-model.md.

Protocol, over a socket of packets that is our standard input: we say READY, or what is wrong; a request is JSON with
two descriptors, the output and a pipe; the answer is the process id as text, or what is wrong. The process waits for GO
in the pipe before it does anything, and ends if that is closed, so none runs of which the supervisor does not know.
"""

import ctypes
import gc
import importlib
import os
import runpy
import socket
import sys
from pathlib import Path
from typing import Any, Final

import orjson

from meshkit.process import exec_shim

READY: Final = "ready"
GO: Final = b"g"
MOST_BYTES: Final = 65_536
# Room for the command lines of the processes, which take the place of ours.
TITLE_ROOM: Final = " " * 1024
# Their positions behind the name in /proc/self/stat, see proc(5): arg_start and arg_end, the 48th and 49th field.
_ARGUMENTS: Final = slice(45, 47)


def main() -> None:
    """Serve until the other end is closed; in a forked process run its program."""
    module = sys.argv[1]
    _show([sys.executable, "-m", "services.supervisor.process.fork_server", module])
    requests = socket.socket(fileno=os.dup(0))
    _redirect(os.open(os.devnull, os.O_RDONLY), 0)
    requests.send(_load(module).encode())
    program = _serve(requests)
    if program:
        _run(program)


def _load(module: str) -> str:
    """Import the module and return READY, or else why it cannot be forked."""
    gc.disable()
    try:
        importlib.import_module(module)
    except Exception as error:  # whatever it is, it is told again where the program is started in the usual way
        return f"{module} cannot be imported: {error!r}"
    # Of several threads only one would be in the forked process, and the locks of the others would never open.
    threads = len(list(Path("/proc/self/task").iterdir()))
    if threads != 1:
        return f"{module} cannot be forked: found {threads} threads after its import, allowed is one"
    # The collector would write into what the processes share.
    gc.collect()
    gc.freeze()
    gc.enable()
    return READY


def _serve(requests: socket.socket) -> list[str]:
    """Answer requests; return nothing at their end, and in a forked process its program."""
    while True:
        text, descriptors, _, _ = socket.recv_fds(requests, MOST_BYTES, 2)
        if not text:
            return []
        output, start = descriptors
        try:
            pid = _fork()
        except OSError as error:
            requests.send(f"cannot fork: {error.strerror}".encode())
        else:
            if pid == 0:
                requests.close()
                return _begin(orjson.loads(text), output, start)
            requests.send(str(pid).encode())
        os.close(output)
        os.close(start)


def _fork() -> int:
    """
    Return 0 in a new process, which leads a session of its own, and its id in this one.

    Its parent has ended by then, so it is a child of whoever adopts orphans above us. Raises OSError.
    """
    read_end, write_end = os.pipe()
    middle = os.fork()
    if middle == 0:
        try:
            if os.fork() == 0:
                os.setsid()
                os.write(write_end, str(os.getpid()).encode())
                os.close(write_end)
                os.close(read_end)
                return 0
        except OSError:
            os._exit(1)
        os._exit(0)
    os.close(write_end)
    os.waitpid(middle, 0)
    with os.fdopen(read_end, "rb") as told:
        pid = told.read()
    if not pid:
        raise OSError(0, "there is no process to be had")
    return int(pid)


def _begin(request: dict[str, Any], output: int, start: int) -> list[str]:
    """Become what is requested as soon as we may, and return the program; ends the process if we may not or cannot."""
    _redirect(output, 1, 2)
    if os.read(start, len(GO)) != GO:
        os._exit(exec_shim.PARENT_IS_GONE)
    os.close(start)
    # Python adds this variable at its start where there is no locale.
    coerced = {name: os.environ[name] for name in ("LC_CTYPE",) if name in os.environ}
    os.environ.clear()
    os.environ.update(coerced | request["environment"])
    program: list[str] = request["program"]
    _show(program)
    code = exec_shim.take_steps(request["steps"], program)
    if code is not None:
        sys.exit(code)
    return program


def _run(program: list[str]) -> None:
    """Run `python -m MODULE ARGUMENT…` in this process."""
    _, _, module, *arguments = program
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


def _redirect(source: int, *targets: int) -> None:
    for target in targets:
        os.dup2(source, target)
    os.close(source)


def _show(words: list[str]) -> None:
    """
    Have the kernel show these words as our command line, as far as they fit where our own was.

    Its last byte, if it is not zero, tells the kernel that there is one text in the place of arguments.
    """
    fields = Path("/proc/self/stat").read_bytes().rpartition(b")")[2].split()
    begin, end = map(int, fields[_ARGUMENTS])
    text = " ".join(words).encode()[: end - begin - 2]
    ctypes.memmove(begin, text.ljust(end - begin - 1, b"\0") + b"\1", end - begin)


if __name__ == "__main__":
    main()

"""One supervisor for each run directory."""

import fcntl
import os
import shutil
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Self

from meshkit.errors import FailedPrecondition
from meshkit.paths import RunDir
from meshkit.process import own_directory
from services.supervisor.errors import AlreadyRunning


class RunDirLock:
    """
    The run directory, held by a lock on `supervisor.lock` that ends with the process whatever happens to it.

    As a context manager: makes the directory (0750) if it is missing, locks it, removes the given files a killed
    predecessor left; at the end removes those files and the lock, and the directory with all that is in it if a
    supervisor made it. Raises AlreadyRunning with the holder's pid, DirectoryNotOurs if others could change what is in
    it, FailedPrecondition if it is unusable.

    The lock's file has two lines: the holder's pid, and `made` if the directory is a supervisor's own work. It goes
    at an ordered end; `took_over` tells that it was there, so a predecessor was killed, perhaps a moment ago.
    """

    def __init__(self, run_dir: RunDir, files: Iterable[Path] = ()) -> None:
        self._run_dir = run_dir
        self._files = list(files)
        self._descriptor = -1
        self._made_directory = False
        self.took_over = False

    def add(self, files: Iterable[Path]) -> None:
        """Remove these files at the end too."""
        self._files += files

    def __enter__(self) -> Self:
        path = self._run_dir.path
        try:
            first_process = os.getpid() == 1
            if first_process:
                own_directory.close_mounts(path)
            self._made_directory = not path.exists()
            path.mkdir(mode=0o750, parents=True, exist_ok=True)
            own_directory.check(path, "solution.mesh.runDir", first_process=first_process)
            self._lock()
        except OSError as error:
            raise FailedPrecondition(f"solution.mesh.runDir {path} cannot be used: {error.strerror}") from error
        self._remove_files()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._remove_files()
        # While it is still locked: whoever opened it before finds, once it has the lock, that the file is another.
        self._run_dir.lock.unlink(missing_ok=True)
        os.close(self._descriptor)
        if self._made_directory:
            shutil.rmtree(self._run_dir.path, ignore_errors=True)

    def _lock(self) -> None:
        while True:
            descriptor = os.open(self._run_dir.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                pid = os.pread(descriptor, 100, 0).partition(b"\n")[0]
                os.close(descriptor)
                raise AlreadyRunning(self._run_dir.path, int(pid) if pid.isdigit() else 0) from None
            if self._is_current(descriptor):
                break
            os.close(descriptor)
        left = os.pread(descriptor, 100, 0)
        self.took_over = bool(left)
        self._made_directory = self._made_directory or b"made" in left
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n{'made' if self._made_directory else ''}\n".encode(), 0)
        self._descriptor = descriptor

    def _is_current(self, descriptor: int) -> bool:
        """Tell whether the locked file is still the one in the directory."""
        try:
            return os.path.samestat(os.fstat(descriptor), self._run_dir.lock.stat())
        except FileNotFoundError:
            return False

    def _remove_files(self) -> None:
        for file in self._files:
            file.unlink(missing_ok=True)

"""Standard output behind a bounded queue, so that a slow terminal never holds up a service."""

import os
import threading
from collections import deque
from typing import Final

_QUEUE_BYTES: Final = 4 * 1024 * 1024
_FLUSH_S: Final = 1.0


class Terminal:
    """
    Write to a file descriptor from a thread of its own.

    The descriptor stays blocking: making it non-blocking would do so for the shell that shares it. When more than
    `limit_bytes` wait, further text is dropped and its lines are counted; the count is written when there is room.
    """

    def __init__(self, descriptor: int, limit_bytes: int = _QUEUE_BYTES) -> None:
        self._descriptor = descriptor
        self._limit_bytes = limit_bytes
        self._waiting: deque[bytes] = deque()
        self._waiting_bytes = 0
        self._dropped_lines = 0
        self._closing = False
        self._changed = threading.Condition()
        # A daemon, since a write that blocks for ever must not keep the process alive.
        self._thread = threading.Thread(target=self._write_all, name="terminal", daemon=True)
        self._thread.start()

    def write(self, text: bytes) -> None:
        """Queue whole lines; returns at once."""
        with self._changed:
            if self._waiting_bytes + len(text) > self._limit_bytes:
                self._dropped_lines += text.count(b"\n")
                return
            if self._dropped_lines:
                notice = b"... %d lines were not shown, because this output is read too slowly\n" % self._dropped_lines
                self._dropped_lines = 0
                self._push(notice)
            self._push(text)
            self._changed.notify()

    def close(self) -> None:
        """Wait a second at most for what is queued."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join(_FLUSH_S)

    def _push(self, text: bytes) -> None:
        self._waiting.append(text)
        self._waiting_bytes += len(text)

    def _write_all(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._closing)
                if not self._waiting:
                    return
                text = b"".join(self._waiting)
                self._waiting.clear()
            try:
                while text:
                    text = text[os.write(self._descriptor, text) :]
            except OSError:
                # Nobody reads any more (a closed pipe, a terminal that hung up): the files still have every line.
                self._descriptor = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
            with self._changed:
                self._waiting_bytes = sum(map(len, self._waiting))

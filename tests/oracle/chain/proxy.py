"""A line to a server that can be cut, muted and mended."""

import asyncio
from asyncio import StreamReader, StreamWriter
from contextlib import suppress

from tests.ports import free_port


class Proxy:
    """Forward TCP connections to a port of this host; `requests` counts what was asked through it."""

    def __init__(self, target: int) -> None:
        self.port = free_port()
        self.requests = 0
        self._target = target
        self._server: asyncio.Server | None = None
        self._writers: set[StreamWriter] = set()
        self._open = asyncio.Event()
        self._open.set()

    @property
    def url(self) -> str:
        """Return where to reach it."""
        return f"http://127.0.0.1:{self.port}"

    async def mend(self) -> None:
        """Take connections, and pass answers on."""
        self._open.set()
        if self._server is None:
            self._server = await asyncio.start_server(self._forward, "127.0.0.1", self.port)

    def mute(self) -> None:
        """Pass no answer on any more; requests still arrive."""
        self._open.clear()

    async def cut(self) -> None:
        """End all connections and refuse new ones."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for writer in self._writers:
            writer.close()
        self._open.set()

    async def _forward(self, reader: StreamReader, writer: StreamWriter) -> None:
        onward_reader, onward_writer = await asyncio.open_connection("127.0.0.1", self._target)
        pair = {writer, onward_writer}
        self._writers |= pair
        try:
            with suppress(OSError):
                await asyncio.gather(self._ask(reader, onward_writer), self._answer(onward_reader, writer))
        finally:
            for end in pair:
                end.close()
            self._writers -= pair

    async def _ask(self, reader: StreamReader, writer: StreamWriter) -> None:
        while data := await reader.read(65536):
            self.requests += 1
            writer.write(data)
            await writer.drain()
        writer.close()

    async def _answer(self, reader: StreamReader, writer: StreamWriter) -> None:
        while data := await reader.read(65536):
            await self._open.wait()
            writer.write(data)
            await writer.drain()
        writer.close()

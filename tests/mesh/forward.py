"""Forward TCP connections as they are: python -m tests.mesh.forward LISTEN-HOST:PORT TO-HOST:PORT."""

import asyncio
import sys
from asyncio import StreamReader, StreamWriter


async def _copy(source: StreamReader, target: StreamWriter) -> None:
    try:
        while block := await source.read(65_536):
            target.write(block)
            await target.drain()
    except ConnectionError:
        pass  # Either end may go away at any time; the other is told by the close below.
    finally:
        target.close()


async def _main(listen: str, to: str) -> None:
    async def joined(reader: StreamReader, writer: StreamWriter) -> None:
        host, _, port = to.rpartition(":")
        try:
            other_reader, other = await asyncio.open_connection(host, int(port))
        except OSError:
            writer.close()
            return
        await asyncio.gather(_copy(reader, other), _copy(other_reader, writer))

    host, _, port = listen.rpartition(":")
    async with await asyncio.start_server(joined, host, int(port)) as server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_main(*sys.argv[1:]))

"""One end of a tunnel as a program: python -m tests.meshkit.mutual_tls.tunnel_end serve|ask CERTIFICATES HOST."""

import asyncio
import sys
from asyncio import StreamReader, StreamWriter
from pathlib import Path

from meshkit.mutual_tls.certificates import CertificateDirectory
from meshkit.mutual_tls.tunnel import Address, Incoming, Outgoing, Tunnels

PORT = 3443
_LOCAL = Address("127.0.0.1", 3000)


async def _answer(reader: StreamReader, writer: StreamWriter) -> None:
    writer.write((await reader.readline()).upper())
    await writer.drain()
    writer.close()


async def _serve(certificates: CertificateDirectory, host: str) -> None:
    tunnel = Incoming(Address(host, PORT), _LOCAL, frozenset({"node/2"}))
    async with await asyncio.start_server(_answer, _LOCAL.host, _LOCAL.port), Tunnels(certificates, (tunnel,)):
        print("up", flush=True)
        await asyncio.Event().wait()


async def _ask(certificates: CertificateDirectory, host: str) -> None:
    """For each line that comes in write what the other end says to it, or nothing, after the word answer."""
    loop = asyncio.get_running_loop()
    async with Tunnels(certificates, (Outgoing(_LOCAL, Address(host, PORT), "aggregator"),)):
        while line := await loop.run_in_executor(None, sys.stdin.readline):
            reader, writer = await asyncio.open_connection(_LOCAL.host, _LOCAL.port)
            try:
                writer.write(line.encode())
                answer = await reader.readline()
            except ConnectionError:
                answer = b""
            writer.close()
            print("answer", answer.decode().strip(), flush=True)


if __name__ == "__main__":
    role = {"serve": _serve, "ask": _ask}[sys.argv[1]]
    asyncio.run(role(CertificateDirectory(Path(sys.argv[2])), sys.argv[3]))

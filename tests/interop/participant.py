"""An oracle or a bootstrapper of the real libocr, as a process."""

import asyncio
import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from chainlink.keys.evm import EvmKey
from chainlink.keys.ocr1 import OcrKeyBundle
from chainlink.keys.p2p import P2pKey
from tests.ports import free_port
from tests.waiting import until

FIRST_VALUE = 65123_45000000
# What the library writes about an attested report begins with its epoch and its round.
_EVENT = re.compile(r"\{Epoch:(\d+) Round:(\d+) ")
_TROUBLE = ("warn", "error", "critical")


@dataclass(frozen=True, slots=True)
class Moment:
    """Hold a moment of a round: `kind` is observe or attested, `at_ns` wall-clock Unix nanoseconds."""

    kind: str
    epoch: int
    round: int
    at_ns: int


@dataclass
class Participant:
    """
    Hold one participant: its keys, its process, and what it said.

    Attributes:
        command: oracle or bootstrap.
        said: All lines since the last start.
        moments: The moments of rounds, over all starts.
        troubles: Warnings and worse, over all starts.
    """

    name: str
    program: Path
    command: str
    evm: EvmKey = field(default_factory=EvmKey.generate)
    p2p: P2pKey = field(default_factory=P2pKey.generate)
    ocr: OcrKeyBundle = field(default_factory=OcrKeyBundle.generate)
    p2p_port: int = field(default_factory=free_port)
    said: list[str] = field(default_factory=list)
    moments: list[Moment] = field(default_factory=list)
    troubles: list[str] = field(default_factory=list)
    _settings: dict[str, Any] = field(default_factory=dict)
    _process: asyncio.subprocess.Process | None = None
    _reader: asyncio.Task[None] | None = None

    @property
    def locator(self) -> str:
        """Return the bootstrapper locator."""
        return f"{self.p2p.peer_id}@127.0.0.1:{self.p2p_port}"

    async def start(self, rpc_port: int, contract: str, bootstrapper: str) -> None:
        """Start the process and return when it runs."""
        self._settings = {
            "rpc": f"ws://127.0.0.1:{rpc_port}",
            "contract": contract,
            "listen": f"127.0.0.1:{self.p2p_port}",
            "bootstrappers": [bootstrapper],
            "peer": self.p2p.seed.hex(),
        }
        if self.command == "oracle":
            self._settings |= {
                "signing": self.ocr.keys.signing.hex(),
                "offchain": self.ocr.keys.offchain.hex(),
                "config": self.ocr.keys.config.hex(),
                "transmitter": self.evm.private_key.hex(),
                "value": FIRST_VALUE,
            }
        await self._launch()

    async def restart(self) -> None:
        """Kill the process, and start it again without what it had stored."""
        await self.stop(kill=True)
        await self._launch()

    async def stop(self, *, kill: bool = False) -> None:
        """End the process and read what it said until then."""
        if self._process is None or self._reader is None:
            return
        if self._process.returncode is None:
            (self._process.kill if kill else self._process.terminate)()
        await self._process.wait()
        await self._reader

    async def _launch(self) -> None:
        self.said.clear()
        pipe = asyncio.subprocess.PIPE
        self._process = process = await asyncio.create_subprocess_exec(
            str(self.program), self.command, stdin=pipe, stdout=pipe, stderr=asyncio.subprocess.STDOUT, limit=1 << 20
        )
        self._reader = reader = asyncio.create_task(self._read(process))
        assert process.stdin is not None
        process.stdin.write(json.dumps(self._settings).encode())
        process.stdin.close()
        await until(lambda: reader.done() or any('"started"' in line for line in self.said), f"{self.name} runs")
        assert not reader.done(), self.said

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        async for raw in process.stdout:
            text = raw.decode().strip()
            self.said.append(text)
            if not text.startswith("{"):
                self.troubles.append(text)
                continue
            line = json.loads(text)
            fields = line.get("fields", {})
            if line["level"] in _TROUBLE:
                self.troubles.append(text)
            elif line["said"] == "observe":
                self._note(line, int(fields["epoch"]), int(fields["round"]))
            elif line["said"] == "attested":
                found = _EVENT.match(fields["event"])
                assert found, fields
                self._note(line, int(found[1]), int(found[2]))

    def _note(self, line: dict[str, Any], epoch: int, round_number: int) -> None:
        self.moments.append(Moment(line["said"], epoch, round_number, line["at_ns"]))

"""The bridges: names under which pipelines reach adapters."""

import base64
import hashlib
import secrets
from dataclasses import dataclass, field
from datetime import datetime

from meshkit.errors import NotFound
from services.oracle.store.database import Database


@dataclass(frozen=True, slots=True)
class Bridge:
    """Hold one bridge; its name is lower case."""

    name: str
    url: str
    confirmations: int
    minimum_contract_payment: str | None
    outgoing_token: str = field(repr=False)
    created_at: datetime


class BridgeStore:
    """Keep the bridges, all of them in memory too, because every observation looks one up."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._bridges: dict[str, Bridge] = {}

    async def load(self) -> None:
        """Read all bridges."""
        rows = await self._database.fetch(
            "SELECT name, url, confirmations, minimum_contract_payment, outgoing_token, created_at FROM bridges"
        )
        self._bridges = {row["name"]: Bridge(**dict(row)) for row in rows}

    def all(self) -> list[Bridge]:
        """Return all bridges by name."""
        return sorted(self._bridges.values(), key=lambda bridge: bridge.name)

    def get(self, name: str) -> Bridge | None:
        """Return a bridge; the name is taken as it is, so upper case finds nothing."""
        return self._bridges.get(name)

    def url(self, name: str) -> str | None:
        """Return a bridge's URL, or None if there is no such bridge."""
        bridge = self._bridges.get(name)
        return bridge.url if bridge else None

    async def create(self, name: str, url: str, confirmations: int, payment: str | None) -> tuple[Bridge, str] | None:
        """Store a bridge; return it and its incoming token, or None if the name is taken."""
        incoming, outgoing = _token(), _token()
        touched = await self._database.execute(
            "INSERT INTO bridges (name, url, confirmations, minimum_contract_payment, incoming_token_hash,"
            " outgoing_token) VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING",
            name,
            url,
            confirmations,
            payment,
            hashlib.sha256(incoming.encode()).digest(),
            outgoing,
        )
        await self.load()
        bridge = self._bridges[name]
        # After a repeat of the statement the row is ours without having been touched.
        return (bridge, incoming) if touched or bridge.outgoing_token == outgoing else None

    async def update(self, name: str, url: str, confirmations: int, payment: str | None) -> Bridge:
        """Change a bridge; NotFound if there is none of that name."""
        touched = await self._database.execute(
            "UPDATE bridges SET url = $2, confirmations = $3, minimum_contract_payment = $4 WHERE name = $1",
            name,
            url,
            confirmations,
            payment,
        )
        if not touched:
            raise NotFound("bridge", name)
        await self.load()
        return self._bridges[name]

    async def delete(self, name: str) -> None:
        """Delete a bridge."""
        await self._database.execute("DELETE FROM bridges WHERE name = $1", name)
        self._bridges.pop(name, None)


def _token() -> str:
    return base64.b64encode(secrets.token_bytes(24)).decode()

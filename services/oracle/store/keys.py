"""The sealed keys in the database."""

from collections.abc import Sequence
from dataclasses import dataclass

from services.oracle.store.database import Database


@dataclass(frozen=True, slots=True)
class RingHeader:
    """Hold what opens the ring: the salt and cost of its derivation, and a known text sealed with it."""

    salt: bytes
    scrypt_n: int
    check: bytes


@dataclass(frozen=True, slots=True)
class SealedKey:
    """Hold one sealed key; `kind` is evm, p2p or ocr."""

    kind: str
    id: str
    sealed: bytes


class KeyStore:
    """Keep the keyring."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def header(self) -> RingHeader | None:
        """Return the ring's header, or None before it was founded."""
        row = await self._database.fetch_one("SELECT salt, scrypt_n, verifier FROM keyring")
        return RingHeader(row["salt"], row["scrypt_n"], row["verifier"]) if row else None

    async def found(self, header: RingHeader) -> None:
        """Write the header of a new ring."""
        sql = "INSERT INTO keyring (salt, scrypt_n, verifier) VALUES ($1, $2, $3)"
        await self._database.execute_durably(sql, header.salt, header.scrypt_n, header.check)

    async def all(self) -> Sequence[SealedKey]:
        """Return every key, oldest first."""
        rows = await self._database.fetch("SELECT kind, id, sealed FROM keys ORDER BY created_at, id")
        return [SealedKey(row["kind"], row["id"], row["sealed"]) for row in rows]

    async def add(self, key: SealedKey) -> None:
        """Write a key; writing it again changes nothing."""
        sql = "INSERT INTO keys (kind, id, sealed) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING"
        await self._database.execute_durably(sql, key.kind, key.id, key.sealed)

    async def delete(self, kind: str, key_id: str) -> None:
        """Delete a key."""
        await self._database.execute("DELETE FROM keys WHERE kind = $1 AND id = $2", kind, key_id)

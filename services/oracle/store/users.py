"""The users of the REST API and their sessions."""

import asyncio
import hashlib
import hmac
import os
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from services.oracle.store.database import Database

_TOUCH_S = 30.0


@dataclass(frozen=True, slots=True)
class User:
    """Hold one user: each may do everything."""

    email: str
    created_at: datetime


class UserStore:
    """Keep users and sessions; passwords and cookies are stored as hashes only."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def ensure_admin(self, email: str, password: str) -> None:
        """Create the administrator if there is no user at all; later changes of the file change nothing."""
        if not await self.any():
            salt = os.urandom(16)
            hashed = await asyncio.to_thread(_hash, password, salt)
            sql = "INSERT INTO users (email, salt, password_hash) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING"
            await self._database.execute(sql, email, salt, hashed)

    async def any(self) -> bool:
        """Tell whether there is a user."""
        return await self._database.fetch_one("SELECT 1 FROM users LIMIT 1") is not None

    async def all(self) -> Sequence[User]:
        """Return all users in the order of their addresses."""
        rows = await self._database.fetch("SELECT email, created_at FROM users ORDER BY email")
        return [User(row["email"], row["created_at"]) for row in rows]

    async def is_right(self, email: str, password: str) -> bool:
        """Tell whether there is such a user with this password; slow, as a check of a password is meant to be."""
        row = await self._database.fetch_one("SELECT salt, password_hash FROM users WHERE email = $1", email.lower())
        # Deriving for an unknown user too keeps the time of the answer from telling who exists.
        hashed = await asyncio.to_thread(_hash, password, row["salt"] if row else b"\0" * 16)
        return row is not None and hmac.compare_digest(hashed, row["password_hash"])

    async def open_session(self, email: str) -> str:
        """Return a new session's token."""
        token = secrets.token_urlsafe(32)
        sql = "INSERT INTO sessions (token_hash, email) VALUES ($1, $2) ON CONFLICT DO NOTHING"
        await self._database.execute(sql, _token_hash(token), email.lower())
        return token

    async def session(self, token: str, idle_s: float) -> str | None:
        """Return the e-mail of a session that was used within `idle_s` seconds and renew it, else None."""
        row = await self._database.fetch_one(
            "SELECT email, extract(epoch FROM now() - last_used)::float8 AS age_s FROM sessions WHERE token_hash = $1",
            _token_hash(token),
        )
        if row is None or row["age_s"] > idle_s:
            return None
        # Not on each request: the renewal is a write.
        if row["age_s"] > min(_TOUCH_S, idle_s / 4):
            sql = "UPDATE sessions SET last_used = now() WHERE token_hash = $1"
            await self._database.execute(sql, _token_hash(token))
        return str(row["email"])

    async def logout(self, token: str) -> None:
        """End a session."""
        await self._database.execute("DELETE FROM sessions WHERE token_hash = $1", _token_hash(token))


def _hash(password: str, salt: bytes) -> bytes:
    return hashlib.scrypt(password.encode("utf-8", "replace"), salt=salt, n=2**14, r=8, p=1)


def _token_hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()

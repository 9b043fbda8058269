"""Password verifiers, so that no password travels in a statement or stands in a log."""

import base64
import hashlib
import hmac
import secrets

# PostgreSQL's own default (scram_iterations).
_ITERATIONS = 4096


def verifier(password: str, salt: bytes | None = None) -> str:
    """
    Return what PostgreSQL stores of an ASCII password; a random 16-byte salt is taken if none is given.

    SCRAM-SHA-256 as in RFC 5802 and RFC 7677; the text's form is that of pg_authid.rolpassword.
    """
    salt = secrets.token_bytes(16) if salt is None else salt
    salted = hashlib.pbkdf2_hmac("sha256", password.encode("ascii"), salt, _ITERATIONS)
    stored_key = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server_key = hmac.digest(salted, b"Server Key", "sha256")
    return f"SCRAM-SHA-256${_ITERATIONS}:{_text(salt)}${_text(stored_key)}:{_text(server_key)}"


def _text(value: bytes) -> str:
    return base64.b64encode(value).decode()

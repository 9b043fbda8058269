"""
The format of a backup: two lines in clear, then everything encrypted and authenticated by a password.

    feedmesh-backup 1
    {"kdf": "scrypt", "n": …, "r": 8, "p": 1, "salt": …, "nonce": …, "check": …}
    AES-256-GCM of the contents, with the two lines as associated data

scrypt gives 64 bytes: the first half is the key, of the second half `check` is the SHA-256, which tells a wrong
password from a file that was changed.
"""

import hashlib
import hmac
import secrets

import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from cli.errors import CliError

STANDARD_SCRYPT_N = 262_144
_MAGIC = b"feedmesh-backup 1\n"
_R = 8
_P = 1
_LONGEST_HEADER = 1000
_MOST_SCRYPT_N = 1 << 20
_SALT_BYTES = 32
_NONCE_BYTES = 12


class UnreadableBackup(CliError):
    """The file is no backup, was changed or cut off, or its password is another."""


def seal(contents: bytes, password: str, scrypt_n: int = STANDARD_SCRYPT_N) -> bytes:
    """Return the file of these contents; the standard cost takes about a second and 256 MiB."""
    salt, nonce = secrets.token_bytes(_SALT_BYTES), secrets.token_bytes(_NONCE_BYTES)
    key, check = _derive(password, salt, scrypt_n)
    parameters = {
        "kdf": "scrypt",
        "n": scrypt_n,
        "r": _R,
        "p": _P,
        "salt": salt.hex(),
        "nonce": nonce.hex(),
        "check": check.hex(),
    }
    head = _MAGIC + orjson.dumps(parameters) + b"\n"
    return head + AESGCM(key).encrypt(nonce, contents, head)


def unseal(file: bytes, password: str) -> bytes:
    """
    Return the contents of a file.

    Raises:
        UnreadableBackup: when it is none, was changed or cut off anywhere, or the password is wrong.
    """
    head, n, salt, nonce, expected = _parameters(file)
    key, check = _derive(password, salt, n)
    if not hmac.compare_digest(check, expected):
        raise UnreadableBackup("the password is wrong")
    try:
        return AESGCM(key).decrypt(nonce, file[len(head) :], head)
    except InvalidTag:
        raise UnreadableBackup("the backup was changed or cut off: nothing of it can be trusted") from None


def _parameters(file: bytes) -> tuple[bytes, int, bytes, bytes, bytes]:
    if not file.startswith(_MAGIC):
        raise UnreadableBackup("the file is no backup of feedmesh: its first line is another")
    end = file.find(b"\n", len(_MAGIC), _LONGEST_HEADER) + 1
    try:
        said = orjson.loads(file[len(_MAGIC) : end])
        n, r, p = said["n"], said["r"], said["p"]
        salt, nonce, check = (bytes.fromhex(said[name]) for name in ("salt", "nonce", "check"))
        known = said["kdf"] == "scrypt" and (r, p, len(salt), len(nonce)) == (_R, _P, _SALT_BYTES, _NONCE_BYTES)
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError):
        known = False
    if not known or type(n) is not int or not 1 < n <= _MOST_SCRYPT_N or n & (n - 1):
        raise UnreadableBackup("the backup was changed or cut off: its second line is not what was written")
    return file[:end], n, salt, nonce, check


def _derive(password: str, salt: bytes, n: int) -> tuple[bytes, bytes]:
    # OpenSSL refuses costs above 32 MiB unless the limit is raised.
    limit = 128 * _R * (n + _P + 2) + (1 << 20)
    derived = hashlib.scrypt(password.encode(), salt=salt, n=n, r=_R, p=_P, dklen=64, maxmem=limit)
    return derived[:32], hashlib.sha256(derived[32:]).digest()

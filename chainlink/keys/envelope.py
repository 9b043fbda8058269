"""
The encrypted envelope of every key file: the `crypto` object of an Ethereum version 3 keystore.

It is read as go-ethereum reads it, where that is safe: the costs are the file's own, and a derived key may be longer
than the 32 bytes that are used of it.
"""

import hashlib
import hmac
import secrets
from collections.abc import Mapping
from typing import Any

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from chainlink.errors import KeyUnreadable
from meshkit.ethereum.keccak import keccak256

STANDARD_SCRYPT_N = 262_144
_R = 8
_P = 1
_KEY_BYTES = 32
# Bounds for what a file may ask for: enough for every tool's defaults, too little to exhaust the machine.
_MOST_SCRYPT_BYTES = 1 << 30
_MOST_SCRYPT_PASSES = 16
_MOST_PBKDF2_ROUNDS = 10_000_000


def encrypt(plaintext: bytes, password: str, scrypt_n: int = STANDARD_SCRYPT_N) -> dict[str, Any]:
    """
    Encrypt with AES-128-CTR under a scrypt key and return the `crypto` object.

    `scrypt_n` is the cost, a power of two above 1; the standard one takes about a second and 256 MiB.
    """
    salt, iv = secrets.token_bytes(32), secrets.token_bytes(16)
    key = _scrypt(password, salt, scrypt_n, _R, _P, _KEY_BYTES)
    ciphertext = _aes_ctr(key[:16], iv, plaintext)
    return {
        "cipher": "aes-128-ctr",
        "ciphertext": ciphertext.hex(),
        "cipherparams": {"iv": iv.hex()},
        "kdf": "scrypt",
        "kdfparams": {"dklen": _KEY_BYTES, "n": scrypt_n, "p": _P, "r": _R, "salt": salt.hex()},
        "mac": _mac(key, ciphertext).hex(),
    }


def decrypt(crypto: object, password: str) -> bytes:
    """
    Return the plaintext of a `crypto` object; the cost parameters are the object's own.

    Raises:
        KeyUnreadable: when the object has another form, or the password is wrong.
    """
    if not isinstance(crypto, Mapping):
        raise KeyUnreadable("crypto: not an object")
    if crypto.get("cipher") != "aes-128-ctr":
        raise KeyUnreadable(f"crypto.cipher: found {crypto.get('cipher')!r}, allowed: 'aes-128-ctr'")
    ciphertext = _hex(crypto, "ciphertext", "crypto.ciphertext")
    iv = _hex(_mapping(crypto, "cipherparams"), "iv", "crypto.cipherparams.iv")
    if len(iv) != 16:
        raise KeyUnreadable(f"crypto.cipherparams.iv: found {len(iv)} bytes, allowed: 16")
    key = _derive(crypto, password)
    if not hmac.compare_digest(_mac(key, ciphertext), _hex(crypto, "mac", "crypto.mac")):
        raise KeyUnreadable("the password is wrong, or the file damaged: could not decrypt key with given password")
    return _aes_ctr(key[:16], iv, ciphertext)


def scrypt_cost(crypto: object) -> int:
    """Return the scrypt cost `n` that a `crypto` object names, the standard one if it names none that is allowed."""
    params = crypto.get("kdfparams") if isinstance(crypto, Mapping) else None
    n = params.get("n") if isinstance(params, Mapping) else None
    if isinstance(n, int) and _is_cost(n) and 128 * _R * n <= _MOST_SCRYPT_BYTES:
        return n
    return STANDARD_SCRYPT_N


def _derive(crypto: Mapping[str, Any], password: str) -> bytes:
    params = _mapping(crypto, "kdfparams")
    salt, length = _hex(params, "salt", "crypto.kdfparams.salt"), _number(params, "dklen", 32, 64)
    if crypto.get("kdf") == "scrypt":
        n, r, p = (_number(params, name, 1, 1 << 30) for name in ("n", "r", "p"))
        if not _is_cost(n):
            raise KeyUnreadable(f"crypto.kdfparams.n: found {n}, allowed: a power of two above 1")
        if 128 * r * (n + p) > _MOST_SCRYPT_BYTES or p > _MOST_SCRYPT_PASSES:
            raise KeyUnreadable(f"crypto.kdfparams: n={n}, r={r}, p={p} cost more than any known tool asks for")
        return _scrypt(password, salt, n, r, p, length)
    if crypto.get("kdf") == "pbkdf2":
        if params.get("prf") != "hmac-sha256":
            raise KeyUnreadable(f"crypto.kdfparams.prf: found {params.get('prf')!r}, allowed: 'hmac-sha256'")
        rounds = _number(params, "c", 1, _MOST_PBKDF2_ROUNDS)
        return hashlib.pbkdf2_hmac("sha256", _bytes(password), salt, rounds, length)
    raise KeyUnreadable(f"crypto.kdf: found {crypto.get('kdf')!r}, allowed: 'scrypt', 'pbkdf2'")


def _scrypt(password: str, salt: bytes, n: int, r: int, p: int, length: int) -> bytes:
    # OpenSSL refuses costs above 32 MiB unless the limit is raised.
    limit = 128 * r * (n + p + 2) + (1 << 20)
    return hashlib.scrypt(_bytes(password), salt=salt, n=n, r=r, p=p, dklen=length, maxmem=limit)


def _is_cost(n: int) -> bool:
    return n > 1 and n & (n - 1) == 0


def _bytes(password: str) -> bytes:
    try:
        return password.encode()
    except UnicodeEncodeError as error:
        raise KeyUnreadable("the password is no text that can be encoded in UTF-8") from error


def _aes_ctr(key: bytes, iv: bytes, data: bytes) -> bytes:
    stream = Cipher(algorithms.AES(key), modes.CTR(iv)).encryptor()
    return stream.update(data) + stream.finalize()


def _mac(key: bytes, ciphertext: bytes) -> bytes:
    return keccak256(key[16:32] + ciphertext)


def _mapping(parent: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = parent.get(name)
    if not isinstance(value, Mapping):
        raise KeyUnreadable(f"crypto.{name}: not an object")
    return value


def _hex(parent: Mapping[str, Any], name: str, path: str) -> bytes:
    try:
        return bytes.fromhex(parent[name])
    except (KeyError, TypeError, ValueError) as error:
        raise KeyUnreadable(f"{path}: not hexadecimal text") from error


def _number(parent: Mapping[str, Any], name: str, least: int, most: int) -> int:
    value = parent.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise KeyUnreadable(f"crypto.kdfparams.{name}: found {value!r}, allowed: {least} to {most}")
    return value

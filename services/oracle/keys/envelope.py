"""The encrypted form of an exported key: geth's version 3 `crypto` object, with a password prefix a kind."""

import hmac
import os
from collections.abc import Mapping
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.kdf.pbkdf2 import PBKDF2HMAC
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
from eth_utils.crypto import keccak

from meshkit.errors import Internal

STANDARD_SCRYPT_N = 2**18
_LARGEST_SCRYPT_N = 2**20


class KeyUnreadable(Internal):
    """An exported key cannot be decrypted or is malformed; the real node answers such an import with 500."""

    reason = "KEY_UNREADABLE"


def encrypt(plaintext: bytes, password: str, *, scrypt_n: int = STANDARD_SCRYPT_N) -> dict[str, Any]:
    """Return the `crypto` object for a plaintext; `password` includes the prefix of the key's kind."""
    salt, iv = os.urandom(32), os.urandom(16)
    derived = Scrypt(salt=salt, length=32, n=scrypt_n, r=8, p=1).derive(password.encode())
    ciphertext = _aes_ctr(derived[:16], iv, plaintext)
    return {
        "cipher": "aes-128-ctr",
        "ciphertext": ciphertext.hex(),
        "cipherparams": {"iv": iv.hex()},
        "kdf": "scrypt",
        "kdfparams": {"dklen": 32, "n": scrypt_n, "p": 1, "r": 8, "salt": salt.hex()},
        "mac": keccak(derived[16:] + ciphertext).hex(),
    }


def decrypt(crypto: object, password: str) -> bytes:
    """
    Return the plaintext of a `crypto` object; the costs of the derivation are taken from the object itself.

    Raises KeyUnreadable when the password is wrong or the object is malformed.
    """
    try:
        if not isinstance(crypto, Mapping) or crypto["cipher"] != "aes-128-ctr":
            raise KeyUnreadable("failed to decrypt: crypto is no aes-128-ctr object")
        ciphertext, iv = bytes.fromhex(crypto["ciphertext"]), bytes.fromhex(crypto["cipherparams"]["iv"])
        derived = _derive(crypto["kdf"], crypto["kdfparams"], password)
        mac = bytes.fromhex(crypto["mac"])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise KeyUnreadable(f"failed to decrypt: malformed crypto object: {error!r}") from error
    if not hmac.compare_digest(mac, keccak(derived[16:32] + ciphertext)):
        raise KeyUnreadable("failed to decrypt: could not decrypt key with given password")
    return _aes_ctr(derived[:16], iv, ciphertext)


def scrypt_n(crypto: object) -> int:
    """Return the scrypt cost of a `crypto` object, the standard cost if it names none."""
    params = crypto.get("kdfparams") if isinstance(crypto, Mapping) else None
    n = params.get("n") if isinstance(params, Mapping) else None
    return n if isinstance(n, int) and 1 < n <= _LARGEST_SCRYPT_N else STANDARD_SCRYPT_N


def _derive(kdf: str, params: Mapping[str, Any], password: str) -> bytes:
    salt = bytes.fromhex(params["salt"])
    if params["dklen"] != 32:
        raise ValueError("dklen is not 32")
    if kdf == "scrypt":
        # A hostile file must not make us allocate without bound: 128 * n * r bytes.
        if params["n"] * params["r"] > _LARGEST_SCRYPT_N * 8 or params["p"] > 16:
            raise ValueError("scrypt parameters are too large")
        derivation = Scrypt(salt=salt, length=32, n=params["n"], r=params["r"], p=params["p"])
        return derivation.derive(password.encode())
    if kdf == "pbkdf2" and params.get("prf") == "hmac-sha256":
        return PBKDF2HMAC(hashes.SHA256(), 32, salt, params["c"]).derive(password.encode())
    raise ValueError(f"unknown kdf {kdf!r}")


def _aes_ctr(key: bytes, iv: bytes, data: bytes) -> bytes:
    encryptor = Cipher(algorithms.AES(key), modes.CTR(iv)).encryptor()
    return encryptor.update(data) + encryptor.finalize()

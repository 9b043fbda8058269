"""
Signatures of configurations: ECDSA over secp256k1 with SHA-256, of the hexadecimal digest of `solution`.

The digest is that of `solution` without `signature`, as signing/object_hash.py makes it. Keys are DER in base64: a
SubjectPublicKeyInfo to verify with, a PKCS #8 PrivateKeyInfo to sign with; either may also be the path of a file that
holds it, in base64 or PEM.
"""

import base64
import binascii
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from meshkit.configuration.signing.object_hash import Unsignable, object_hash
from meshkit.errors import InvalidInput

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey, EllipticCurvePublicKey

PUBLIC_KEY_VARIABLE: Final = "CONFIGURATION_PUBLIC_KEY"
_CURVE: Final = "secp256k1"
_PUBLIC: Final = (
    f"a public key of {_CURVE}: SubjectPublicKeyInfo DER in base64, or the path of a file with it or with PEM"
)
_PRIVATE: Final = f"a file with a private key of {_CURVE}: PKCS #8 DER in base64, or PEM"


class BadSignature(ValueError):
    """A signature is missing or is not one of this content by this key; the text says what was found."""


def public_key(text: str, field: str = PUBLIC_KEY_VARIABLE) -> "EllipticCurvePublicKey":
    """
    Return the key that a text gives: base64 of its DER, or the path of a file.

    Raises:
        InvalidInput: naming the `field` if there is no such key.
    """
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
    from cryptography.hazmat.primitives.serialization import load_der_public_key, load_pem_public_key

    text = text.strip()
    content = _der(text)
    if content is None:
        content = _file(text, field, _PUBLIC)
    try:
        key = load_pem_public_key(content) if content.startswith(b"-----") else load_der_public_key(content)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise InvalidInput(field, _shown(text), _PUBLIC) from error
    if not isinstance(key, EllipticCurvePublicKey) or key.curve.name != _CURVE:
        raise InvalidInput(field, "a key of another kind", _PUBLIC)
    return key


def private_key(path: Path) -> "EllipticCurvePrivateKey":
    """Return the key in a file; raises InvalidInput, which never shows what the file holds."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.hazmat.primitives.serialization import load_der_private_key, load_pem_private_key

    content = _file(str(path), "--key", _PRIVATE)
    try:
        load = load_pem_private_key if content.startswith(b"-----") else load_der_private_key
        key = load(content, None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise InvalidInput("--key", str(path), _PRIVATE) from error
    if not isinstance(key, EllipticCurvePrivateKey) or key.curve.name != _CURVE:
        raise InvalidInput("--key", f"{path}, a key of another kind", _PRIVATE)
    return key


def new_private_key() -> "EllipticCurvePrivateKey":
    """Make a key."""
    from cryptography.hazmat.primitives.asymmetric import ec

    return ec.generate_private_key(ec.SECP256K1())


def private_text(key: "EllipticCurvePrivateKey") -> str:
    """Return a private key as PKCS #8 DER in base64."""
    from cryptography.hazmat.primitives import serialization

    der = key.private_bytes(serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return base64.b64encode(der).decode()


def public_text(key: "EllipticCurvePublicKey") -> str:
    """Return a public key as SubjectPublicKeyInfo DER in base64, which CONFIGURATION_PUBLIC_KEY takes."""
    return base64.b64encode(_public_der(key)).decode()


def fingerprint(key: "EllipticCurvePublicKey") -> str:
    """Return what people compare a public key by: `sha256:` and the first half of the digest of its DER."""
    return f"sha256:{hashlib.sha256(_public_der(key)).hexdigest()[:32]}"


def sign(document: Any, key: "EllipticCurvePrivateKey") -> str:
    """
    Return the signature of a configuration's `solution`, DER in base64.

    Raises:
        InvalidInput: if there is no `solution`, or a value in it that signatures cannot tell from others.
    """
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec

    return base64.b64encode(key.sign(_digest(document).encode(), ec.ECDSA(hashes.SHA256()))).decode()


def verify(document: Any, key: "EllipticCurvePublicKey") -> None:
    """
    Raise BadSignature unless the document's `solution.signature` is that of its content by the key.

    Raises:
        InvalidInput: as `sign`.
    """
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec

    digest = _digest(document)
    given = document["solution"].get("signature")
    if not isinstance(given, str) or not given:
        raise BadSignature("no signature")
    try:
        der = base64.b64decode(given, validate=True)
    except (binascii.Error, ValueError):
        raise BadSignature("a signature that is not base64") from None
    try:
        key.verify(der, digest.encode(), ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        raise BadSignature("a signature of other content, or by another key") from None


def _digest(document: Any) -> str:
    solution = document.get("solution") if isinstance(document, Mapping) else None
    if not isinstance(solution, dict):
        raise InvalidInput("solution", "nothing" if solution is None else "no object", "an object")
    try:
        return object_hash({name: value for name, value in solution.items() if name != "signature"})
    except Unsignable as error:
        raise InvalidInput(f"solution.{error.path}".rstrip("."), error.found, error.allowed) from error


def _der(text: str) -> bytes | None:
    """Return what base64 stands for if that begins as DER does, which no path of ours looks like."""
    try:
        content = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    return content if content.startswith(b"\x30") else None


def _file(path: str, field: str, allowed: str) -> bytes:
    try:
        content = Path(path).read_bytes().strip()
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "not a path"
        raise InvalidInput(field, f"{_shown(path)} ({why})", allowed) from error
    return _der(content.decode("ascii", errors="replace")) or content


def _shown(text: str) -> str:
    return text if len(text) <= 200 else f"{text[:100]}…"


def _public_der(key: "EllipticCurvePublicKey") -> bytes:
    from cryptography.hazmat.primitives import serialization

    return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)

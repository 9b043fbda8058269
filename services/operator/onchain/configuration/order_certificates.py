"""The certificates of the order that this workload runs for, by which its admin proves where it runs."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from chainlink.abi import encode
from chainlink.contract.chunked_certificate import ChunkedCertificate, NoChunks, cut
from chainlink.contract.split_config import ADMIN_STATEMENT
from chainlink.keys import secp256k1
from services.operator.errors import UnusableCertificate

LEAF_FILE = "order_cert.crt"
BUNDLE_FILE = "order_cert_ca_bundle.crt"
KEY_FILE = "order_cert.key"
_FIRST_V = 27


@dataclass(frozen=True, slots=True)
class AdminProof:
    """
    Hold what an admin shows: a chain of certificates, the leaf first, and the leaf's signature of 65 bytes.

    `shown` has the certificates in words, for who has to find out why they were refused.
    """

    chain: tuple[ChunkedCertificate, ...]
    signature: bytes
    shown: tuple[str, ...] = ()


class Registrar(Protocol):
    """Whoever can prove that an account may become admin."""

    def prove(self, admin: str, chain_id: int, helper: str, nonce: int) -> AdminProof:
        """Return the proof for an account, to the contract at `helper`, which wants this nonce next."""


@dataclass(frozen=True, slots=True)
class OrderCertificates:
    """Prove by the files of a directory: the order's certificate, those above it, and its key."""

    directory: Path

    def prove(self, admin: str, chain_id: int, helper: str, nonce: int) -> AdminProof:
        """
        Read the files and sign.

        Raises:
            UnusableCertificate: naming the file that is missing, damaged, not of the same key, or whose certificate has
                not signed the one below it. Whether they are still valid the contract knows better.
        """
        order = _read(self.directory)
        statement = hashlib.sha256(encode(ADMIN_STATEMENT, (admin, chain_id, helper, nonce))).digest()
        *r_and_s, v = secp256k1.sign(order.key, statement)
        return AdminProof(order.chain, bytes((*r_and_s, v + _FIRST_V)), order.shown)


@dataclass(frozen=True, slots=True)
class _Order:
    chain: tuple[ChunkedCertificate, ...]
    key: bytes = field(repr=False)
    shown: tuple[str, ...]


def _read(directory: Path) -> _Order:
    # In this order, so that the first that is missing is named.
    leaf, bundle, key = (_text(directory / name) for name in (LEAF_FILE, BUNDLE_FILE, KEY_FILE))
    certificates = [*_certificates(directory / LEAF_FILE, leaf), *_certificates(directory / BUNDLE_FILE, bundle)]
    path = _path(directory, certificates[0], certificates[1:])
    private = _private_key(directory / KEY_FILE, key)
    chain = [_cut(directory, certificate) for certificate in path]
    if secp256k1.public_key(private) != chain[0].public_key:
        raise UnusableCertificate(directory / KEY_FILE, f"is not the key of {LEAF_FILE}")
    return _Order(tuple(chain), private, tuple(map(_in_words, path)))


def _path(directory: Path, leaf: x509.Certificate, others: Sequence[x509.Certificate]) -> list[x509.Certificate]:
    """Return the leaf and those above it in the order of their signatures, without the root: the contract has that."""
    path = [leaf]
    while (below := path[-1]).issuer != below.subject and len(path) <= len(others):
        named = [each for each in others if each.subject == below.issuer != each.issuer]
        issuers = [each for each in named if _has_signed(each, below)]
        if named and not issuers:
            names = f"{below.issuer.rfc4514_string()!r}, which has not signed {below.subject.rfc4514_string()!r}"
            raise UnusableCertificate(directory / BUNDLE_FILE, f"has the certificate of {names}")
        if not (above := [each for each in issuers if each not in path]):
            break
        # Of an authority's certificates the one that is valid longest is as good as any, and better.
        path.append(max(above, key=lambda each: each.not_valid_after_utc))
    return path


def _has_signed(issuer: x509.Certificate, below: x509.Certificate) -> bool:
    try:
        below.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _in_words(certificate: x509.Certificate) -> str:
    """Return what contracts look at in a certificate: whose it is, its number, its end, and whether it may sign."""
    try:
        constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
        may = "an authority" if constraints.ca else "no authority"
    except (x509.ExtensionNotFound, x509.DuplicateExtension, ValueError):
        may = "no authority"
    name, end = certificate.subject.rfc4514_string(), certificate.not_valid_after_utc.strftime("%Y-%m-%dT%H:%M:%SZ")
    issuer = certificate.issuer.rfc4514_string()
    return f"{name!r} by {issuer!r} (serial number {certificate.serial_number:x}, valid until {end}, {may})"


def _text(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UnusableCertificate(path, f"cannot be read: {error.strerror}") from error


def _certificates(path: Path, pem: bytes) -> Sequence[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(pem)
    except ValueError as error:
        raise UnusableCertificate(path, "has no certificate in PEM form, or a damaged one") from error


def _private_key(path: Path, pem: bytes) -> bytes:
    try:
        key = serialization.load_pem_private_key(pem, None)
    except (ValueError, TypeError) as error:
        raise UnusableCertificate(path, "has no unencrypted private key in PEM form") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256K1):
        raise UnusableCertificate(path, "is not a key of secp256k1")
    return key.private_numbers().private_value.to_bytes(32, "big")


def _cut(directory: Path, certificate: x509.Certificate) -> ChunkedCertificate:
    subject = certificate.subject.rfc4514_string()
    try:
        return cut(certificate.public_bytes(serialization.Encoding.DER))
    except NoChunks as error:
        raise UnusableCertificate(directory, f"the certificate of {subject!r} cannot be shown: {error}") from error

"""The certificates of an order, made for tests: a root, an authority, and a leaf with the solution's hash."""

from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from services.operator.onchain.configuration.order_certificates import BUNDLE_FILE, KEY_FILE, LEAF_FILE

SOLUTION = bytes(range(32))
_USER_DATA = x509.ObjectIdentifier("1.3.6.1.3.8888.2.4")
_BEGIN, _END = datetime(2024, 1, 1, tzinfo=UTC), datetime(2049, 1, 1, tzinfo=UTC)


def name(text: str) -> x509.Name:
    """Return a subject."""
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def issue(
    subject: str,
    key: ec.EllipticCurvePrivateKey,
    issuer: str,
    issuer_key: ec.EllipticCurvePrivateKey,
    *,
    ca: bool = True,
    extensions: tuple[tuple[x509.ObjectIdentifier, bytes], ...] = (),
) -> x509.Certificate:
    """Make a certificate; `extensions` are raw."""
    builder = (
        x509.CertificateBuilder()
        .subject_name(name(subject))
        .issuer_name(name(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(_BEGIN)
        .not_valid_after(_END)
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
    )
    for oid, value in extensions:
        builder = builder.add_extension(x509.UnrecognizedExtension(oid, value), critical=False)
    return builder.sign(issuer_key, hashes.SHA256())


def write_order(directory: Path, *, solution: bytes = SOLUTION) -> None:
    """Write an order's three files."""
    root, authority, leaf = (ec.generate_private_key(ec.SECP256K1()) for _ in range(3))
    certificates = {
        LEAF_FILE: [issue("leaf", leaf, "authority", authority, ca=False, extensions=((_USER_DATA, solution),))],
        BUNDLE_FILE: [issue("authority", authority, "root", root), issue("root", root, "root", root)],
    }
    directory.mkdir(parents=True, exist_ok=True)
    for file, listed in certificates.items():
        pem = b"".join(each.public_bytes(serialization.Encoding.PEM) for each in listed)
        (directory / file).write_bytes(pem)
    form = serialization.PrivateFormat.PKCS8
    no_password = serialization.NoEncryption()
    (directory / KEY_FILE).write_bytes(leaf.private_bytes(serialization.Encoding.PEM, form, no_password))

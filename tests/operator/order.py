"""The certificates of an order, made for tests: a root, an authority, and a leaf with the solution's hash."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from chainlink.contract.abi_codec import AbiCodec
from chainlink.contract.artifact import load
from chainlink.contract.chunked_certificate import cut
from services.operator.onchain.configuration.order_certificates import BUNDLE_FILE, KEY_FILE, LEAF_FILE
from services.operator.onchain.transactions import Transaction

SOLUTION = bytes(range(32))
HELPER = AbiCodec(load("split/AdminHelper"))
_USER_DATA = x509.ObjectIdentifier("1.3.6.1.3.8888.2.4")
BEGIN, END = datetime(2024, 1, 1, tzinfo=UTC), datetime(2049, 1, 1, tzinfo=UTC)


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
    end: datetime = END,
    begin: datetime = BEGIN,
) -> x509.Certificate:
    """Make a certificate; `extensions` are raw."""
    builder = (
        x509.CertificateBuilder()
        .subject_name(name(subject))
        .issuer_name(name(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(end)
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
    )
    for oid, value in extensions:
        builder = builder.add_extension(x509.UnrecognizedExtension(oid, value), critical=False)
    return builder.sign(issuer_key, hashes.SHA256())


def _key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256K1())


@dataclass
class Order:
    """An order's certificates as they should be; tests put others in their places."""

    solution: bytes = SOLUTION
    root_key: ec.EllipticCurvePrivateKey = field(default_factory=_key)
    authority_key: ec.EllipticCurvePrivateKey = field(default_factory=_key)
    leaf_key: ec.EllipticCurvePrivateKey = field(default_factory=_key)

    def __post_init__(self) -> None:
        self.root = issue("root", self.root_key, "root", self.root_key)
        self.authority = self.authority_until(END)
        self.leaf = self.leaf_until(END)

    def authority_until(self, end: datetime, *, ca: bool = True) -> x509.Certificate:
        """Return a certificate of the authority."""
        return issue("authority", self.authority_key, "root", self.root_key, ca=ca, end=end)

    def leaf_until(self, end: datetime, *, solution: bytes | None = None) -> x509.Certificate:
        """Return a certificate of the leaf."""
        hashed = ((_USER_DATA, self.solution if solution is None else solution),)
        return issue("leaf", self.leaf_key, "authority", self.authority_key, ca=False, extensions=hashed, end=end)

    def write(self, directory: Path, bundle: list[x509.Certificate] | None = None) -> None:
        """Write the order's three files."""
        directory.mkdir(parents=True, exist_ok=True)
        listed = {LEAF_FILE: [self.leaf], BUNDLE_FILE: [self.authority, self.root] if bundle is None else bundle}
        for file, certificates in listed.items():
            pem = b"".join(each.public_bytes(serialization.Encoding.PEM) for each in certificates)
            (directory / file).write_bytes(pem)
        form, no_password = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        (directory / KEY_FILE).write_bytes(self.leaf_key.private_bytes(serialization.Encoding.PEM, form, no_password))

    def registration(self, helper: str, root: x509.Certificate | None = None) -> Transaction:
        """Return what makes a root known to the admin's contract."""
        chunked = cut((root or self.root).public_bytes(serialization.Encoding.DER))
        return Transaction("root certificate", helper, HELPER.call("setRootCert", chunked.as_argument()))


def helper_deployment() -> Transaction:
    """Return what deploys the admin's contract of the solution."""
    return Transaction("admin", None, HELPER.deployment(SOLUTION))

"""A certificate authority for tests: certificate directories of any role and host name, good or not."""

import datetime as dt
import ipaddress
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from meshkit.mutual_tls.peer_role import identity

_DAY = dt.timedelta(days=1)


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


class Authority:
    """Issue certificates into directories of the three files that services read."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        builder = self._begin("mesh", self._key, _name("mesh"), 0)
        ca = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        self._certificate = ca.sign(self._key, hashes.SHA256())
        self.pem = self._certificate.public_bytes(serialization.Encoding.PEM)

    def issue(self, directory: Path, *uris: str, hosts: tuple[str, ...] = ("127.0.0.1",), ended_days: int = 0) -> Path:
        """Write a certificate with these URIs and hosts and return the directory; it may have ended days ago."""
        key = ec.generate_private_key(ec.SECP256R1())
        names: list[x509.GeneralName] = [x509.UniformResourceIdentifier(uri) for uri in uris]
        for host in hosts:
            try:
                names.append(x509.IPAddress(ipaddress.ip_address(host)))
            except ValueError:
                names.append(x509.DNSName(host))
        usages = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH])
        builder = self._begin("service", key, self._certificate.subject, ended_days)
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        certificate = builder.add_extension(usages, critical=False).sign(self._key, hashes.SHA256())
        directory.mkdir(parents=True, exist_ok=True)
        files = {
            "ca.crt": self.pem,
            "tls.crt": certificate.public_bytes(serialization.Encoding.PEM),
            "tls.key": key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            ),
        }
        for name, content in files.items():
            new = directory / f"{name}.new"
            new.touch(0o600)
            new.write_bytes(content)
            new.replace(directory / name)
        return directory

    def issue_role(self, directory: Path, role: str, *hosts: str) -> Path:
        """Write a certificate of a role."""
        return self.issue(directory, identity(role), hosts=hosts or ("127.0.0.1",))

    def _begin(
        self, subject: str, key: ec.EllipticCurvePrivateKey, issuer: x509.Name, ended_days: int
    ) -> x509.CertificateBuilder:
        now = dt.datetime.now(dt.UTC)
        end = now - ended_days * _DAY if ended_days else now + 9 * _DAY
        return (
            x509.CertificateBuilder()
            .subject_name(_name(subject))
            .issuer_name(issuer)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - 30 * _DAY)
            .not_valid_after(end)
        )

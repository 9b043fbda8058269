"""Certificate directories: what is refused at the start, and what becomes of files that are replaced."""

import ssl
from pathlib import Path

import pytest

from meshkit.mutual_tls.certificates import CertificateDirectory, UnusableCertificate
from meshkit.mutual_tls.peer_role import identity
from tests.certificate_authority import Authority


@pytest.fixture(name="authority", scope="module")
def _authority() -> Authority:
    return Authority()


def test_role_and_contexts(authority: Authority, tmp_path: Path) -> None:
    """A good directory gives its role, a server context that wants certificates and a client's that checks names."""
    found = CertificateDirectory(authority.issue_role(tmp_path, "node/3"))
    assert found.role == "node/3"
    assert found.accepting_context().verify_mode == ssl.CERT_REQUIRED
    assert found.dialling_context().check_hostname
    assert found.dialling_context().verify_mode == ssl.CERT_REQUIRED


def test_another_role_is_refused(authority: Authority, tmp_path: Path) -> None:
    """A service that is given another's certificate says which it has and which it needs."""
    found = CertificateDirectory(authority.issue_role(tmp_path, "node/3"))
    found.check_role("node/3")
    with pytest.raises(UnusableCertificate, match=r"tls.crt: is of \S+/node/3; allowed: one of \S+/operator"):
        found.check_role("operator")


@pytest.mark.parametrize("name", ["ca.crt", "tls.crt", "tls.key"])
@pytest.mark.parametrize("content", [None, b"", b"no PEM\n"])
def test_a_missing_or_broken_file_is_named(
    authority: Authority, tmp_path: Path, name: str, content: bytes | None
) -> None:
    """Each of the files that is missing, empty or something else is an error that names it."""
    path = authority.issue_role(tmp_path, "operator") / name
    path.unlink() if content is None else path.write_bytes(content)
    with pytest.raises(UnusableCertificate, match=f"{name}.*; allowed: "):
        CertificateDirectory(tmp_path)


def test_a_key_of_another_certificate(authority: Authority, tmp_path: Path) -> None:
    """A key that does not belong to the certificate is refused."""
    mine, other = (authority.issue_role(tmp_path / name, "operator") for name in ("mine", "other"))
    (mine / "tls.key").write_bytes((other / "tls.key").read_bytes())
    with pytest.raises(UnusableCertificate, match=r"tls.crt: cannot be used with tls.key \(KEY_VALUES_MISMATCH\)"):
        CertificateDirectory(mine)


def test_a_key_that_everybody_may_read(authority: Authority, tmp_path: Path) -> None:
    """A key that everybody on the host may read is refused with its mode."""
    (authority.issue_role(tmp_path, "operator") / "tls.key").chmod(0o644)
    with pytest.raises(UnusableCertificate, match=r"tls.key: everybody may read it \(mode 0644\)"):
        CertificateDirectory(tmp_path)


@pytest.mark.parametrize("uris", [(), ("https://feedmesh/operator",), (identity("operator"), identity("admin"))])
def test_a_certificate_without_a_role(authority: Authority, tmp_path: Path, uris: tuple[str, ...]) -> None:
    """A certificate that names no role, or two, is refused with what it names."""
    with pytest.raises(UnusableCertificate, match="names no role"):
        CertificateDirectory(authority.issue(tmp_path, *uris))


def test_replaced_files_are_taken_into_use(authority: Authority, tmp_path: Path) -> None:
    """New files are in use with the next look; broken ones leave those before them, until they are good again."""
    found = CertificateDirectory(authority.issue_role(tmp_path, "node/3"))
    before = found.accepting_context()
    assert found.accepting_context() is before
    authority.issue_role(tmp_path, "node/3")
    renewed = found.accepting_context()
    assert renewed is not before
    certificate = (tmp_path / "tls.crt").read_bytes()
    (tmp_path / "tls.crt").write_bytes(b"half")
    assert found.accepting_context() is renewed
    (tmp_path / "tls.crt").write_bytes(certificate)
    assert found.role == "node/3"
    assert found.accepting_context() is not before

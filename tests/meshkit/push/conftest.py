"""Receivers as Debian packages them, each started once for the tests of a file and ended with them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import monitoring_programs
from tests.certificate_authority import Authority
from tests.monitoring_programs import Server

PASSWORD = "a-password"
# PASSWORD by bcrypt at its least cost; the gateway knows no other form.
HASHED = "$2b$04$abcdefghijklmnopqrstuurp8gIuTR7jNLYUS2oWqlo53RjDCp7f6"


@pytest.fixture(scope="module", name="victoria")
def _victoria(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    yield from _running(monitoring_programs.victoria_metrics(tmp_path_factory.mktemp("victoria")))


@pytest.fixture(scope="module", name="gateway")
def _gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    yield from _running(monitoring_programs.pushgateway(tmp_path_factory.mktemp("gateway")))


@pytest.fixture(scope="module", name="prometheus")
def _prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    yield from _running(monitoring_programs.prometheus(tmp_path_factory.mktemp("prometheus")))


@pytest.fixture(scope="module", name="certificates")
def _certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a directory with ca.crt, tls.crt and tls.key of a private authority."""
    return Authority().issue(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module", name="closed_victoria")
def _closed_victoria(tmp_path_factory: pytest.TempPathFactory, certificates: Path) -> Iterator[Server]:
    """Give one with TLS and a password."""
    options = (
        "-tls",
        f"-tlsCertFile={certificates / 'tls.crt'}",
        f"-tlsKeyFile={certificates / 'tls.key'}",
        "-httpAuth.username=user",
        f"-httpAuth.password={PASSWORD}",
    )
    directory = tmp_path_factory.mktemp("closed-victoria")
    yield from _running(monitoring_programs.victoria_metrics(directory, *options, scheme="https"))


@pytest.fixture(scope="module", name="closed_gateway")
def _closed_gateway(tmp_path_factory: pytest.TempPathFactory, certificates: Path) -> Iterator[Server]:
    """Give one with TLS and a password."""
    directory = tmp_path_factory.mktemp("closed-gateway")
    web = directory / "web.yml"
    files = f"cert_file: {certificates / 'tls.crt'}\n  key_file: {certificates / 'tls.key'}"
    web.write_text(f"tls_server_config:\n  {files}\nbasic_auth_users:\n  user: {HASHED}\n")
    yield from _running(monitoring_programs.pushgateway(directory, f"--web.config.file={web}", scheme="https"))


def _running(server: Server) -> Iterator[Server]:
    server.start()
    yield server
    server.stop()

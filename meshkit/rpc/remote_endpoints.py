"""gRPC of a mesh that is spread out: where a service answers the others, and how it meets them."""

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

from meshkit.configuration.network import Network
from meshkit.rpc.client import Remote
from meshkit.rpc.server import TcpListener

if TYPE_CHECKING:
    # Few processes have certificates, and what reads them takes 10 MB.
    from meshkit.mutual_tls.certificates import CertificateDirectory


def own_certificates(
    network: Network, role: str, environment: Mapping[str, str] = os.environ
) -> "CertificateDirectory":
    """Return our certificates; raise UnusableCertificate unless they are of the role."""
    from meshkit.mutual_tls.certificates import CertificateDirectory

    certificates = CertificateDirectory(network.certificates_in(environment))
    certificates.check_role(role)
    return certificates


def listener(network: Network, port: int, role: str) -> TcpListener | None:
    """Return where to answer over TCP, None in a mesh on one machine; raise UnusableCertificate."""
    if not network.is_spread_out:
        return None
    return TcpListener(_address(network.listen_address, port), own_certificates(network, role))


def remote(network: Network, host: str | None, port: int, role: str) -> Remote | None:
    """Return how to meet a service as who we are, None in a mesh on one machine; raise UnusableCertificate."""
    if not network.is_spread_out or host is None:
        return None
    return Remote(_address(host, port), own_certificates(network, role))


def _address(host: str, port: int) -> str:
    from meshkit.mutual_tls.tunnel import Address

    return str(Address(host, port))

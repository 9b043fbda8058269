"""`solution.mesh.network`: where the services are when each has a machine, or a pod, of its own."""

import ipaddress
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final

from pydantic import AfterValidator, Field, field_validator, model_validator

from meshkit.configuration.model import Section

TLS_DIRECTORY_VARIABLE: Final = "FEEDMESH_TLS_DIR"
_NAME: Final = re.compile(r"(?!-)[A-Za-z0-9_.-]{1,253}(?<![.-])")


def _host(value: str) -> str:
    """Take a name as certificates and DNS have it, or a numeric address."""
    if _NAME.fullmatch(value) is None:
        try:
            ipaddress.IPv6Address(value)
        except ValueError:
            raise ValueError(f"found {value!r}, allowed: a host's name or numeric address, without a port") from None
    return value


HostName = Annotated[str, AfterValidator(_host)]


class NetworkPorts(Section):
    """TCP ports that take mutual TLS only; each is where a service answers for the services elsewhere."""

    aggregator_https: int = Field(3443, ge=1, le=65_535, description="Quotes over HTTP, for the nodes.")
    aggregator_grpc: int = Field(7001, ge=1, le=65_535, description="The aggregator's gRPC.")
    operator_grpc: int = Field(7002, ge=1, le=65_535, description="The operator's gRPC.")
    node_api_base: int = Field(
        7600, ge=1, le=65_000, description="Node i takes its REST API's requests, for the operator, on this port + i."
    )
    node_grpc_base: int = Field(7700, ge=1, le=65_000, description="Node i answers gRPC on this port + i.")


class Network(Section):
    """Where the services are when each has a machine of its own; absent when all are on one."""

    listen_address: str = Field(
        "127.0.0.1",
        description="Numeric address to listen at, `0.0.0.0` for all; beyond loopback only with tlsDirectory.",
    )
    tls_directory: Path | None = Field(
        None,
        description="Directory of `ca.crt`, `tls.crt` and `tls.key`, read again when they change. "
        f"The variable {TLS_DIRECTORY_VARIABLE} overrides it.",
    )
    aggregator_host: HostName | None = Field(None, description="Host of the price aggregator.")
    operator_host: HostName | None = Field(None, description="Host of the operator.")
    node_hosts: tuple[HostName, ...] = Field((), description="Hosts of the nodes 1, 2, … in this order.")
    ports: NetworkPorts = Field(NetworkPorts(), description="TCP ports for mutual TLS.")

    @field_validator("listen_address")
    @classmethod
    def _numeric(cls, value: str) -> str:
        try:
            ipaddress.ip_address(value)
        except ValueError:
            raise ValueError(f"found {value!r}, allowed: a numeric address such as 127.0.0.1 or 0.0.0.0") from None
        return value

    @model_validator(mode="after")
    def _complete(self) -> "Network":
        if self.tls_directory is None:
            if not ipaddress.ip_address(self.listen_address).is_loopback:
                raise ValueError(
                    f"listenAddress is {self.listen_address}, beyond loopback, which is allowed with tlsDirectory only"
                )
            if self.node_hosts:
                raise ValueError("nodeHosts is set, which is allowed with tlsDirectory only")
        if self.node_hosts and not (self.aggregator_host and self.operator_host):
            raise ValueError("nodeHosts is set, so aggregatorHost and operatorHost must be too")
        return self

    @property
    def is_spread_out(self) -> bool:
        """Tell whether the services are on machines of their own."""
        return bool(self.node_hosts)

    def certificates_in(self, environment: Mapping[str, str]) -> Path:
        """Return the directory of this machine's certificate; only for a mesh that is spread out."""
        assert self.tls_directory is not None
        return Path(environment.get(TLS_DIRECTORY_VARIABLE) or self.tls_directory)

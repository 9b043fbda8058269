"""`solution.mesh`: the settings of our own, each with a default."""

from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, field_validator

from meshkit.configuration.addresses import Address, Host, HttpUrl, WebSocketUrl
from meshkit.configuration.aggregation import Aggregation
from meshkit.configuration.model import Section
from meshkit.configuration.network import Network
from meshkit.configuration.node_program import RuntimeSetting
from meshkit.configuration.postgres_url import PostgresUrl
from meshkit.paths import SP_CERTIFICATES_DIR

# libocr's bound on the number of oracles, plus bootstrap nodes.
MOST_NODES = 40


class Ports(Section):
    """TCP ports on 127.0.0.1 that no other key sets."""

    metrics: int = Field(3003, ge=1, le=65_535, description="HTTP page of the process metrics.")
    node_api_base: int = Field(
        6600, ge=1, le=65_535 - MOST_NODES, description="Node i answers its REST API on this port + i."
    )
    node_p2p_base: int = Field(
        9900, ge=1, le=65_535 - MOST_NODES, description="Node i meets its peers on this port + i."
    )


class Devchain(Section):
    """The local chain of the embedded profile."""

    enabled: bool = Field(False, description="Run anvil as a service.")
    port: int = Field(8545, ge=1, le=65_535, description="JSON-RPC port.")
    block_time_seconds: int = Field(1, ge=1, le=60, description="Time between blocks.")
    faucet_wei: int = Field(10**22, ge=0, description="Balance the faucet account is given, in wei.")


class Market(Section):
    """The market simulator of the embedded profile."""

    enabled: bool = Field(False, description="Run the simulator as a service.")
    port: int = Field(8600, ge=1, le=65_535, description="HTTP port.")
    seed: int = Field(1, ge=0, description="Seed of the price process: the same seed gives the same prices.")


class Keystore(Section):
    """Encryption of key files."""

    scrypt_n: int = Field(
        262_144,
        ge=2,
        le=1_048_576,
        description="scrypt cost of key files we write; a power of two. Small only in tests.",
    )


class Postgres(Section):
    """The PostgreSQL server."""

    bin_dir: Path | None = Field(None, description="Directory of initdb and postgres; absent to look for version 17.")
    user: str | None = Field(None, description="Account it runs under when we are root; absent to choose one.")
    max_connections: int = Field(1000, ge=20, le=10_000, description="Connections the server accepts.")
    synchronous_commit: bool = Field(
        True, description="Wait for the disk at each commit. Off loses up to a second of commits in a crash."
    )
    url: SecretStr | None = Field(
        None,
        description="Superuser's URL of a server that is not ours, for a mesh that is spread out: "
        "`postgresql://USER:PASSWORD@HOST:PORT/postgres?sslmode=verify-full&sslrootcert=FILE`. "
        "The nodes' own URLs have its host, port and parameters.",
    )

    @field_validator("url")
    @classmethod
    def _reads(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            PostgresUrl.parse(value.get_secret_value())
        return value


class RpcEndpoint(Section):
    """One more RPC endpoint of the chain, for when `chainlinkRpcHttpUrl` is away, behind, or of another chain."""

    name: str = Field(min_length=1, description="Name in the nodes' files and in logs, unlike all others.")
    http_url: HttpUrl = Field(description="HTTP RPC.")
    ws_url: WebSocketUrl = Field(description="WebSocket RPC.")


class Contracts(Section):
    """The feeds' contracts."""

    deploy: bool = Field(False, description="Deploy a contract for each feed that has no address here.")
    addresses: dict[str, Address] = Field(
        {}, description="Contract address by feed name, with the checksum of its letters (EIP-55)."
    )
    addresses_file: Path | None = Field(
        None,
        description="JSON of further addresses, feed name → address by chain id; absent for `feed-cas.json` in "
        "`chainlinkFeedTemplatesDir`, if there is one. What `addresses` has goes before.",
    )
    ocr2_code_file: Path | None = Field(
        None,
        description="File with the creation code of `AccessControlledOCR2Aggregator`, in hexadecimal or in the "
        "JSON of a compiler: what is deployed for feeds of OCR2. Without it their contracts need addresses.",
    )
    admin_certificates_dir: Path = Field(
        Path(SP_CERTIFICATES_DIR),
        description="Directory of `order_cert.crt`, `order_cert_ca_bundle.crt` and `order_cert.key`, by which node 1's "
        "account proves to `adminContractAddress` that it may set oracles.",
    )
    replace_oracles: bool = Field(
        False,
        description="Put these nodes into contracts that list oracles whose keys are not kept here. Only for the first "
        "start after keys were lost.",
    )


class Ocr(Section):
    """The protocol's parameters as written on chain."""

    delta_progress_ms: int = Field(35_000, gt=0, description="Time without progress after which the leader changes.")
    delta_resend_ms: int = Field(17_000, gt=0, description="Time between repeats of NewEpoch.")
    delta_round_ms: int = Field(30_000, gt=0, description="Time between rounds.")
    delta_grace_ms: int = Field(12_000, gt=0, description="Time the leader waits for late observations.")
    delta_c_ms: int = Field(86_400_000, ge=0, description="Heartbeat: longest time between two answers.")
    alpha_ppb: int = Field(5_000_000, ge=0, description="Deviation that causes an answer, in parts per billion.")
    delta_stage_ms: int = Field(60_000, gt=0, description="Time between stages of the transmission schedule.")
    r_max: int = Field(6, ge=1, le=254, description="Rounds in an epoch.")


class FeedSettings(Section):
    """One feed's own values, wherever the feed comes from; what is absent is that of `ocr` and of the feed itself."""

    ocr_version: Literal[1, 2] = Field(
        1, description="Version of the protocol: 2 for contracts of OCR2, with nodes of the chainlink program."
    )
    decimals: int | None = Field(
        None, ge=0, le=77, description="Decimals of the contract's answers; absent for the feed's usual ones."
    )
    heartbeat_ms: int | None = Field(
        None,
        ge=0,
        description="Longest time between two answers (deltaC); absent for the feed's usual one, or `ocr.deltaCMs` if "
        "that is given.",
    )
    deviation_ppb: int | None = Field(
        None,
        ge=0,
        description="Deviation that causes an answer (alphaPPB), in parts per billion; absent for the feed's usual "
        "one, or `ocr.alphaPpb` if that is given.",
    )
    delta_progress_ms: int | None = Field(None, gt=0, description="Absent for `ocr.deltaProgressMs`.")
    delta_resend_ms: int | None = Field(None, gt=0, description="Absent for `ocr.deltaResendMs`.")
    delta_round_ms: int | None = Field(None, gt=0, description="Absent for `ocr.deltaRoundMs`.")
    delta_grace_ms: int | None = Field(None, gt=0, description="Absent for `ocr.deltaGraceMs`.")
    delta_stage_ms: int | None = Field(None, gt=0, description="Absent for `ocr.deltaStageMs`.")
    r_max: int | None = Field(None, ge=1, le=254, description="Absent for `ocr.rMax`.")


class Supervisor(Section):
    """How processes are watched, stopped and logged."""

    hang_seconds: float = Field(
        60, ge=1, le=3600, description="A process that has given no answer for so long is killed, as if it had crashed."
    )
    restart_window_seconds: float = Field(
        600, ge=1, le=86_400, description="Time within which `maxRestarts` crashes of one service are counted."
    )
    stop_deadline_seconds: float = Field(
        14, ge=1, le=600, description="Time for the ordered stop; must be below the container's grace period."
    )
    answer_margin_seconds: float = Field(
        90,
        ge=1,
        le=86_400,
        description="The health check fails when a feed has had no answer for its heartbeat (`ocr.deltaCMs`) and this.",
    )
    log_file_bytes: int = Field(10_485_760, ge=65_536, description="Size at which a log file is rotated.")
    log_files: int = Field(10, ge=1, le=1000, description="Log files kept of each service.")
    open_files: int = Field(65_536, ge=1024, description="Limit of open files of each process, as far as is allowed.")
    restart_files_dir: Path | None = Field(
        None,
        description="Directory of `<service>/restart-count` and `last-restart`; absent for `service` in `runDir`, in "
        "the image `/run/service`.",
    )
    node_uid_base: int | None = Field(
        None,
        ge=1,
        le=2_000_000_000,
        description="Node i runs as user and group id base + i, in both runtimes. Only for root.",
    )


class Mesh(Section):
    """Our own settings."""

    runtime: RuntimeSetting = Field(
        "auto",
        description="Program of the nodes: Chainlink's (`chainlink`), our own (`embedded`), or Chainlink's where there "
        "is one (`auto`): the file that the variable CHAINLINK_BIN names, or the `chainlink` of the PATH. Or an object "
        'with one of them by node number, for example `{"2": "embedded", "3": "chainlink"}`; all others are `auto`.',
    )
    manual_job_runs: bool = Field(
        False,
        description="Whether a job of our own nodes may be run by request, `POST /v2/jobs/ID/runs`, as in a Chainlink "
        "node that is built for development; webhook jobs always may, by their UUIDs.",
    )
    data_dir: Path = Field(
        Path("/sp"),
        description="Directory of everything that outlives a run; the database's is `postgresql/data` in it.",
    )
    run_dir: Path = Field(Path("/run/feedmesh"), description="Directory of sockets; its path must be short.")
    feeds: tuple[str, ...] = Field((), description="Names of the feeds to serve, for example `BTC / USD`.")
    feed_settings: dict[str, FeedSettings] = Field(
        {}, description="What is another one for a feed than for all, by feed name, also of feeds of templates."
    )
    ports: Ports = Field(Ports(), description="TCP ports.")
    network: Network = Field(
        Network(), description="Where the services are when each has a machine of its own (`feedmesh serve`)."
    )
    devchain: Devchain = Field(Devchain(), description="The local chain of the embedded profile.")
    market: Market = Field(Market(), description="The market simulator of the embedded profile.")
    keystore: Keystore = Field(Keystore(), description="Encryption of key files.")
    postgres: Postgres = Field(Postgres(), description="The PostgreSQL server.")
    contracts: Contracts = Field(Contracts(), description="The feeds' contracts.")
    rpc_endpoints: tuple[RpcEndpoint, ...] = Field(
        (),
        description="Further RPC endpoints of the chain, in the order in which operator and nodes try them.",
    )
    egress: tuple[Host, ...] | None = Field(
        None,
        description="Hosts beyond this one that our clients may connect to, also by a redirect: `host`, or `*.domain` "
        "for all below one. Absent for those that this file names, with the addresses of the sources that are on; what "
        "jobs of our own nodes ask is then not limited. Jobs of Chainlink's program never are.",
    )
    aggregator: Aggregation = Field(
        Aggregation(), description="Which prices are believed, and how those of several sources become one."
    )
    supervisor: Supervisor = Field(Supervisor(), description="How processes are watched, stopped and logged.")
    ocr: Ocr = Field(Ocr(), description="The protocol's parameters.")

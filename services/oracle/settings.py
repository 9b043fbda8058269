"""What the node reads at its start: config.toml, secrets.toml and the API credentials, as typed values."""

import re
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Self, TypeVar
from urllib.parse import parse_qs, unquote, urlsplit

from meshkit import log
from meshkit.egress.hosts import hosts_of
from services.oracle.chain.settings import EvmSettings
from services.oracle.errors import SettingInvalid
from services.oracle.settings_types import KEY, Duration, Natural, Port, Positive, Secret, Size, Table, matching

_SHORTEST_PASSWORD = 16
_LONGEST_API_PASSWORD = 50
_Table = TypeVar("_Table", bound=Table)


@dataclass(frozen=True, kw_only=True)
class RateLimitSettings(Table):
    """Hold the limits on requests a client address."""

    authenticated: Positive = 1000
    authenticated_period_s: Duration = 60.0
    unauthenticated: Positive = 5
    unauthenticated_period_s: Duration = 20.0


@dataclass(frozen=True, kw_only=True)
class WebServerSettings(Table):
    """Hold where and how the REST API listens."""

    http_port: Port = 6688
    listen_ip: str = "0.0.0.0"  # noqa: S104 # the real node's default
    secure_cookies: bool = True
    session_timeout_s: Duration = 900.0
    http_max_size_bytes: Size = 32768
    http_write_timeout_s: Duration = 10.0
    bridge_cache_ttl_s: Duration = 0.0
    rate_limit: RateLimitSettings = RateLimitSettings()


@dataclass(frozen=True, kw_only=True)
class HttpRequestSettings(Table):
    """Hold the limits on what bridge and http tasks fetch."""

    default_timeout_s: Duration = 15.0
    max_size_bytes: Size = 32768


@dataclass(frozen=True, kw_only=True)
class JobPipelineSettings(Table):
    """Hold the limits on pipelines."""

    http_request: HttpRequestSettings = HttpRequestSettings()
    max_successful_runs: Natural = 10_000


@dataclass(frozen=True, kw_only=True)
class FeatureSettings(Table):
    """Hold which features of a real node its configuration switches on; this node only shows them."""

    feeds_manager: bool = True
    multi_feeds_managers: bool = False


@dataclass(frozen=True, kw_only=True)
class LogSettings(Table):
    """Hold the log level."""

    level: Annotated[
        str, matching("(?i:debug|info|warn|error|crit|panic|fatal)", "debug, info, warn, error, crit, panic or fatal")
    ] = "info"

    @property
    def python_level(self) -> str:
        """Return the level under Python's name."""
        level = self.level.lower()
        return {"warn": "warning", "crit": "critical", "panic": "critical"}.get(level, level)


@dataclass(frozen=True, kw_only=True)
class DatabaseSettings(Table):
    """Hold the limit of connections."""

    max_open_conns: Positive = 100


@dataclass(frozen=True, kw_only=True)
class OcrSettings(Table):
    """Hold the defaults of OCR1 jobs."""

    enabled: bool = False
    observation_timeout_s: Duration = 5.0
    blockchain_timeout_s: Duration = 20.0
    contract_poll_interval_s: Duration = 60.0
    key_bundle_id: str | None = None
    transmitter_address: str | None = None


@dataclass(frozen=True, kw_only=True)
class P2pV2Settings(Table):
    """Hold where the P2P host listens and whom it knows from the start."""

    listen_addresses: tuple[str, ...] = ()
    announce_addresses: tuple[str, ...] = ()
    default_bootstrappers: tuple[str, ...] = ()
    delta_dial_s: Duration = 15.0
    delta_reconcile_s: Duration = 60.0


@dataclass(frozen=True, kw_only=True)
class P2pSettings(Table):
    """Hold the identity and the addresses of the P2P host."""

    peer_id: str | None = None
    incoming_message_buffer_size: Positive = 10
    outgoing_message_buffer_size: Positive = 10
    v2: P2pV2Settings = P2pV2Settings()


@dataclass(frozen=True, kw_only=True)
class Config(Table):
    """Hold config.toml, as far as this node uses it."""

    root_dir: str | None = None
    insecure_fast_scrypt: bool = False
    feature: FeatureSettings = FeatureSettings()
    log: LogSettings = LogSettings()
    database: DatabaseSettings = DatabaseSettings()
    web_server: WebServerSettings = WebServerSettings()
    job_pipeline: JobPipelineSettings = JobPipelineSettings()
    ocr: OcrSettings = OcrSettings()
    p2p: P2pSettings = P2pSettings()
    evm: tuple[EvmSettings, ...]

    def chain(self, chain_id: int) -> EvmSettings | None:
        """Return the enabled chain of that id, or None."""
        return next((chain for chain in self.evm if chain.number == chain_id and chain.enabled), None)

    @property
    def rpc_hosts(self) -> frozenset[str]:
        """Return the hosts of all endpoints of all chains."""
        endpoints = [node for chain in self.evm for node in chain.nodes]
        return hosts_of(str(url) for node in endpoints for url in (node.http_url, node.ws_url) if url)

    def config_poll_interval_s(self, chain: EvmSettings) -> float:
        """Return how often to ask a contract for its next configuration."""
        return 5.0 if chain.simulated else self.ocr.contract_poll_interval_s

    def first_config_poll_interval_s(self, chain: EvmSettings) -> float:
        """Return how often to ask a contract for a configuration while there is none to run with."""
        return 1.0 if chain.simulated else self.ocr.contract_poll_interval_s


@dataclass(frozen=True, kw_only=True)
class DatabaseSecrets(Table):
    """Hold where the node's database is."""

    url: Secret


@dataclass(frozen=True, kw_only=True)
class PasswordSecrets(Table):
    """Hold the keystore password."""

    keystore: Secret


@dataclass(frozen=True, kw_only=True)
class EvmKeySecret(Table):
    """Hold one EVM key export to import at the start."""

    chain_id: int = field(metadata={KEY: "ID"})
    export: Secret = field(metadata={KEY: "JSON"})
    password: Secret


@dataclass(frozen=True, kw_only=True)
class EvmSecrets(Table):
    """Hold the EVM keys to import."""

    keys: tuple[EvmKeySecret, ...] = ()


@dataclass(frozen=True, kw_only=True)
class P2pKeySecret(Table):
    """Hold the P2P key export to import at the start."""

    export: Secret = field(metadata={KEY: "JSON"})
    password: Secret


@dataclass(frozen=True, kw_only=True)
class PrometheusSecrets(Table):
    """Hold the bearer token of /metrics."""

    auth_token: Secret | None = None


@dataclass(frozen=True, kw_only=True)
class Secrets(Table):
    """Hold secrets.toml, as far as this node uses it."""

    database: DatabaseSecrets
    password: PasswordSecrets
    evm: EvmSecrets = EvmSecrets()
    p2p_key: P2pKeySecret | None = None
    prometheus: PrometheusSecrets = PrometheusSecrets()


@dataclass(frozen=True, slots=True)
class ApiCredentials:
    """Hold the administrator of the REST API; used only while the node has no user."""

    email: str
    password: Secret

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read the two lines of an apicredentials file; SettingInvalid if they break a rule."""
        lines = [line.strip() for line in _text(path).splitlines()]
        if len(lines) < 2:
            raise SettingInvalid(path.name, f"{len(lines)} lines", "an e-mail address and a password, one a line")
        if not re.fullmatch(r"[^@\s]+@[^@\s]+", lines[0]):
            raise SettingInvalid(f"{path.name} line 1", lines[0], "an e-mail address")
        if not _SHORTEST_PASSWORD <= len(lines[1]) <= _LONGEST_API_PASSWORD:
            allowed = f"a password of {_SHORTEST_PASSWORD} to {_LONGEST_API_PASSWORD} characters"
            raise SettingInvalid(f"{path.name} line 2", f"{len(lines[1])} characters", allowed)
        log.add_secret(lines[1])
        return cls(email=lines[0].lower(), password=Secret(lines[1]))


def read_config(path: Path) -> Config:
    """Read config.toml; SettingInvalid names the first field that is missing or not allowed."""
    config = _read(Config, path)
    if config.ocr.enabled and not config.p2p.v2.listen_addresses:
        raise SettingInvalid(f"{path.name}: P2P.V2.ListenAddresses", "nothing", "at least one 'ip:port' with OCR")
    return config


def read_secrets(path: Path) -> Secrets:
    """Read secrets.toml and have the log censor what it holds; SettingInvalid names a missing or bad field."""
    secrets = _read(Secrets, path)
    database = urlsplit(secrets.database.url.text)
    if database.scheme not in ("postgresql", "postgres"):
        raise SettingInvalid(f"{path.name}: Database.URL", f"scheme {database.scheme!r}", "postgresql://…")
    password = (parse_qs(database.query).get("password") or [unquote(database.password or "")])[0]
    if len(password) < _SHORTEST_PASSWORD and "_test" not in database.path:
        allowed = f"a URL with a password of at least {_SHORTEST_PASSWORD} characters"
        raise SettingInvalid(f"{path.name}: Database.URL", f"a password of {len(password)}", allowed)
    keystore = secrets.password.keystore.text
    if len(keystore) < _SHORTEST_PASSWORD or keystore != keystore.strip():
        allowed = f"at least {_SHORTEST_PASSWORD} characters without white space around them"
        raise SettingInvalid(f"{path.name}: Password.Keystore", f"{len(keystore)} characters", allowed)
    for secret in (password, database.password or "", keystore):
        log.add_secret(secret)
    key_passwords = [key.password for key in secrets.evm.keys]
    key_passwords += [secrets.p2p_key.password] if secrets.p2p_key else []
    for key_password in key_passwords:
        log.add_secret(key_password.text)
    return secrets


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingInvalid(str(path), str(error), "a readable text file") from error


def _read(table: type[_Table], path: Path) -> _Table:
    try:
        document = tomllib.loads(_text(path))
    except tomllib.TOMLDecodeError as error:
        raise SettingInvalid(path.name, str(error), "TOML") from error
    try:
        return table.read(document)
    except SettingInvalid as error:
        raise SettingInvalid(f"{path.name}: {error.field}", error.found, error.allowed) from error

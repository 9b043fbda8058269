"""Job specifications: the TOML that the REST API takes, as typed jobs."""

import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from eth_utils.address import is_checksum_address
from eth_utils.exceptions import ValidationError

from services.oracle.chain.settings import EvmSettings
from services.oracle.errors import FeatureDisabled, SpecInvalid, SpecMalformed
from services.oracle.jobs import toml_reader
from services.oracle.pipeline.errors import SpecificationError
from services.oracle.pipeline.graph import Pipeline
from services.oracle.settings import Config
from services.oracle.units import parse_duration

ORACLE_TYPE = "offchainreporting"
_LONGEST_NAME = 255
_CHAIN_ID = re.compile(r"[0-9]{1,20}")
_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-?[0-9a-fA-F]{4}){3}-?[0-9a-fA-F]{12}")
_OCR2_TYPES = ("offchainreporting2", "bootstrap")
_LOCATOR = re.compile(r"12D3KooW[1-9A-HJ-NP-Za-km-z]{44}@[^\s/@]+:[0-9]{1,5}(?:/[^\s/@]+:[0-9]{1,5})*")


@dataclass(frozen=True, slots=True)
class Timings:
    """Hold one job's timeouts in seconds, and how often and how deep its configuration is looked for."""

    observation_s: float
    observation_grace_s: float
    blockchain_s: float
    database_s: float
    transmit_s: float
    config_poll_s: float
    first_config_poll_s: float
    config_subscribe_s: float
    config_confirmations: int


@dataclass(frozen=True, slots=True)
class _Job:
    """
    Hold what both kinds of job have.

    Attributes:
        external_job_id: The UUID by which the creator knows it.
        name: Unique on the node, or None.
        contract: The aggregator's checksummed address.
        bootstrappers: Locators `peerid@host:port`; empty: those of config.toml.
    """

    external_job_id: uuid.UUID
    name: str | None
    contract: str
    chain_id: int
    bootstrappers: tuple[str, ...]
    timings: Timings

    @property
    def label(self) -> str:
        """Return the name, or the contract's address if it has none."""
        return self.name or self.contract


@dataclass(frozen=True, slots=True)
class BootstrapJob(_Job):
    """Hold a job that lets the oracles of one contract find each other."""


@dataclass(frozen=True, slots=True)
class OracleJob(_Job):
    """Hold a job that observes and reports; `max_task_s` 0 means that only the observation timeout limits a run."""

    key_bundle_id: str
    transmitter: str
    pipeline: Pipeline
    max_task_s: float
    gas_limit: int


Job = OracleJob | BootstrapJob


def parse(toml: str, config: Config) -> Job:
    """
    Read a job specification.

    Raises:
        SpecMalformed: for TOML syntax, an unknown type, another version or a pipeline that is none.
        SpecInvalid: for a field that breaks a rule.
        FeatureDisabled: for OCR1 when it is off, and for OCR2, which this node does not have.
    """
    document = _document(toml)
    kind = document.get("type")
    if kind in _OCR2_TYPES:
        raise FeatureDisabled("The Offchain Reporting 2 feature is disabled by configuration")
    if kind != ORACLE_TYPE:
        raise SpecMalformed("type", kind, f"{ORACLE_TYPE}")
    fields = _Fields(document)
    if fields.optional("schemaVersion", int) != 1:
        raise SpecMalformed("schemaVersion", document.get("schemaVersion"), "1")
    bootstrap = fields.take("isBootstrapPeer", bool)
    pipeline = _pipeline(fields, bootstrap)
    if not config.ocr.enabled:
        raise FeatureDisabled("The Offchain Reporting feature is disabled by configuration")
    chain = _chain(fields, config)
    timings = _timings(fields, config, chain)
    values: dict[str, Any] = {
        "external_job_id": _external_job_id(fields),
        "name": _name(fields),
        "contract": fields.address("contractAddress"),
        "chain_id": chain.number,
        "bootstrappers": _bootstrappers(fields),
        "timings": timings,
    }
    if pipeline is None:
        return BootstrapJob(**values)
    max_task_s = fields.duration("maxTaskDuration", 0.0)
    _check_task_times(pipeline, max_task_s, timings.observation_s)
    return OracleJob(
        **values,
        key_bundle_id=fields.optional("keyBundleID", str)
        or _needed("keyBundleID", config.ocr.key_bundle_id, "or OCR.KeyBundleID"),
        transmitter=fields.address("transmitterAddress", config.ocr.transmitter_address),
        pipeline=pipeline,
        max_task_s=max_task_s,
        gas_limit=_gas_limit(fields, chain),
    )


class _Fields:
    """Take fields of a specification with their types; unknown ones are ignored, as the node does."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._document = document

    def optional(self, name: str, kind: type) -> Any:
        value = self._document.get(name)
        if value is not None and (not isinstance(value, kind) or (kind is int and isinstance(value, bool))):
            raise SpecMalformed(name, value, f"a value of type {kind.__name__}")
        return value

    def take(self, name: str, kind: type) -> Any:
        return _needed(name, self.optional(name, kind), "a value")

    def has(self, name: str) -> bool:
        return name in self._document

    def duration(self, name: str, default: float, least: float = 0.0, most: float = float("inf")) -> float:
        text = self.optional(name, str)
        if not text:
            return default
        try:
            seconds = parse_duration(text)
        except ValueError as error:
            raise SpecMalformed(name, text, str(error)) from error
        if seconds == 0:
            return default
        if not least <= seconds <= most:
            raise SpecInvalid(name, text, f"{least:g}s to {most:g}s")
        return seconds

    def address(self, name: str, default: str | None = None) -> str:
        text = self.optional(name, str) or _needed(name, default, "an address")
        try:
            checksummed = is_checksum_address(text)
        except (ValueError, ValidationError):
            checksummed = False
        if not checksummed:
            raise SpecInvalid(name, text, "an address with its EIP-55 checksum")
        return str(text)


def _document(toml: str) -> Mapping[str, Any]:
    if "<{}>" in toml:
        raise SpecMalformed("toml", "<{}>", "text without it")
    return toml_reader.read(toml)


def _needed(name: str, value: Any, allowed: str) -> Any:
    if value is None:
        raise SpecInvalid(name, "nothing", allowed)
    return value


def _pipeline(fields: _Fields, bootstrap: bool) -> Pipeline | None:
    source = fields.optional("observationSource", str)
    if bootstrap:
        if fields.has("observationSource"):
            raise SpecInvalid("observationSource", "a pipeline", "none: unrecognised key for bootstrap peer")
        return None
    if not source or not source.strip():
        raise SpecInvalid("observationSource", "nothing", "a pipeline: no pipeline specified")
    try:
        return Pipeline.parse(source)
    except SpecificationError as error:
        raise SpecMalformed(error.field, error.found, error.allowed) from error


def _chain(fields: _Fields, config: Config) -> EvmSettings:
    text = str(_needed("evmChainID", fields.optional("evmChainID", object), "the id of a chain in config.toml"))
    chain = config.chain(int(text)) if _CHAIN_ID.fullmatch(text) else None
    if chain is None:
        raise SpecInvalid("evmChainID", text, ", ".join(chain.chain_id for chain in config.evm))
    return chain


def _external_job_id(fields: _Fields) -> uuid.UUID:
    text = fields.optional("externalJobID", str)
    if not text:
        return uuid.uuid4()
    if not _UUID.fullmatch(text):
        raise SpecMalformed("externalJobID", text, "a UUID")
    return uuid.UUID(text)


def _name(fields: _Fields) -> str | None:
    name: str | None = fields.optional("name", str)
    if name is not None and len(name) > _LONGEST_NAME:
        raise SpecInvalid("name", f"{len(name)} characters", f"at most {_LONGEST_NAME}")
    return name


def _bootstrappers(fields: _Fields) -> tuple[str, ...]:
    locators = fields.optional("p2pv2Bootstrappers", list) or []
    for index, locator in enumerate(locators):
        if not isinstance(locator, str) or not _LOCATOR.fullmatch(locator):
            raise SpecInvalid(f"p2pv2Bootstrappers[{index}]", locator, "12D3KooW…@host:port")
    return tuple(locators)


def _timings(fields: _Fields, config: Config, chain: EvmSettings) -> Timings:
    observation_s = fields.duration("observationTimeout", config.ocr.observation_timeout_s, 1, 20)
    grace_s = fields.duration("observationGracePeriod", chain.ocr.observation_grace_period_s, 0.01, 2)
    if grace_s > observation_s:
        raise SpecInvalid("observationGracePeriod", f"{grace_s:g}s", f"at most observationTimeout, {observation_s:g}s")
    confirmations = fields.optional("contractConfigConfirmations", int) or chain.contract_confirmations
    if not 1 <= confirmations <= 100:
        raise SpecInvalid("contractConfigConfirmations", confirmations, "1 to 100")
    poll_s = fields.duration("contractConfigTrackerPollInterval", config.config_poll_interval_s(chain), 15, 120)
    return Timings(
        observation_s=observation_s,
        observation_grace_s=grace_s,
        blockchain_s=fields.duration("blockchainTimeout", config.ocr.blockchain_timeout_s, 1, 20),
        database_s=fields.duration("databaseTimeout", chain.ocr.database_timeout_s, 0.1, 10),
        transmit_s=fields.duration(
            "contractTransmitterTransmitTimeout", chain.ocr.contract_transmitter_transmit_timeout_s, 1, 60
        ),
        # On a local chain nothing is gained by waiting, whatever the job was written for.
        config_poll_s=min(poll_s, config.config_poll_interval_s(chain)),
        first_config_poll_s=min(poll_s, config.first_config_poll_interval_s(chain)),
        config_subscribe_s=fields.duration("contractConfigTrackerSubscribeInterval", 120.0, 60, 300),
        config_confirmations=confirmations,
    )


def _gas_limit(fields: _Fields, chain: EvmSettings) -> int:
    limit: int = fields.optional("gasLimit", int) or chain.transmit_gas_limit
    if not 0 < limit < 2**32:
        raise SpecMalformed("gasLimit", limit, f"1 to {2**32 - 1}")
    return limit


def _check_task_times(pipeline: Pipeline, max_task_s: float, observation_s: float) -> None:
    if max_task_s > observation_s:
        raise SpecInvalid("maxTaskDuration", f"{max_task_s:g}s", f"at most observationTimeout, {observation_s:g}s")
    for step in pipeline.steps:
        if step.timeout_s is not None and step.timeout_s > observation_s:
            allowed = f"at most observationTimeout, {observation_s:g}s"
            raise SpecInvalid(f"observationSource.{step.id}.timeout", f"{step.timeout_s:g}s", allowed)

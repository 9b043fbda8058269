"""A job as this node runs it: its specification with what the node's configuration and the chain add to it."""

import uuid
from dataclasses import dataclass, replace

from chainlink.address import is_checksummed
from chainlink.errors import SpecInvalid, SpecMalformed
from chainlink.jobs import JobSpec, document_of
from chainlink.units import NS_PER_S
from services.oracle.chain.settings import EvmSettings
from services.oracle.errors import FeatureDisabled
from services.oracle.pipeline.errors import SpecificationError
from services.oracle.pipeline.graph import Pipeline
from services.oracle.settings import Config

_OCR2_TYPES = ("offchainreporting2", "bootstrap")
_CONFIG_SUBSCRIBE_S = 120.0


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
        spec: The specification, with the values in force in the place of those it leaves out.
        external_job_id: The UUID by which the creator knows it.
    """

    spec: JobSpec
    external_job_id: uuid.UUID
    timings: Timings

    @property
    def name(self) -> str | None:
        """Return the name, unique on the node, or None."""
        return self.spec.name

    @property
    def contract(self) -> str:
        """Return the aggregator's checksummed address."""
        return self.spec.contract_address

    @property
    def chain_id(self) -> int:
        """Return the number of the chain."""
        return self.spec.chain_id

    @property
    def bootstrappers(self) -> tuple[str, ...]:
        """Return the locators `peerid@host:port`; empty: those of config.toml."""
        return self.spec.bootstrappers

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
    document = document_of(toml)
    if document.get("type") in _OCR2_TYPES:
        raise FeatureDisabled("The Offchain Reporting 2 feature is disabled by configuration")
    spec = JobSpec.read(document)
    pipeline = None if spec.observation_source is None else _pipeline(spec.observation_source)
    if not config.ocr.enabled:
        raise FeatureDisabled("The Offchain Reporting feature is disabled by configuration")
    chain = config.chain(spec.chain_id)
    if chain is None:
        raise SpecInvalid("evmChainID", spec.chain_id, ", ".join(chain.chain_id for chain in config.evm))
    timings = _timings(spec, config, chain)
    external_job_id = uuid.UUID(spec.external_job_id) if spec.external_job_id else uuid.uuid4()
    spec = _in_force(replace(spec, external_job_id=str(external_job_id)), timings)
    if pipeline is None:
        return BootstrapJob(spec, external_job_id, timings)
    max_task_s = (spec.max_task_duration_ns or 0) / NS_PER_S
    _check_task_times(pipeline, max_task_s, timings.observation_s)
    bundle = spec.key_bundle_id or config.ocr.key_bundle_id
    if not bundle:
        raise SpecInvalid("keyBundleID", "nothing", "a bundle's id here or in OCR.KeyBundleID")
    transmitter, gas_limit = _transmitter(spec, config), spec.gas_limit or chain.transmit_gas_limit
    spec = replace(spec, key_bundle_id=bundle, transmitter_address=transmitter, gas_limit=gas_limit)
    return OracleJob(spec, external_job_id, timings, bundle, transmitter, pipeline, max_task_s, gas_limit)


def _pipeline(source: str) -> Pipeline:
    try:
        return Pipeline.parse(source)
    except SpecificationError as error:
        raise SpecMalformed(error.field, error.found, error.allowed) from error


def _timings(spec: JobSpec, config: Config, chain: EvmSettings) -> Timings:
    observation_s = _seconds(spec.observation_timeout_ns, config.ocr.observation_timeout_s)
    grace_s = _seconds(spec.observation_grace_period_ns, chain.ocr.observation_grace_period_s)
    if grace_s > observation_s:
        raise SpecInvalid("observationGracePeriod", f"{grace_s:g}s", f"at most observationTimeout, {observation_s:g}s")
    poll_s = _seconds(spec.config_poll_interval_ns, config.config_poll_interval_s(chain))
    return Timings(
        observation_s=observation_s,
        observation_grace_s=grace_s,
        blockchain_s=_seconds(spec.blockchain_timeout_ns, config.ocr.blockchain_timeout_s),
        database_s=_seconds(spec.database_timeout_ns, chain.ocr.database_timeout_s),
        transmit_s=_seconds(spec.transmit_timeout_ns, chain.ocr.contract_transmitter_transmit_timeout_s),
        # On a local chain nothing is gained by waiting, whatever the job was written for.
        config_poll_s=min(poll_s, config.config_poll_interval_s(chain)),
        first_config_poll_s=min(poll_s, config.first_config_poll_interval_s(chain)),
        config_subscribe_s=_seconds(spec.config_subscribe_interval_ns, _CONFIG_SUBSCRIBE_S),
        config_confirmations=spec.config_confirmations or chain.contract_confirmations,
    )


def _in_force(spec: JobSpec, timings: Timings) -> JobSpec:
    return replace(
        spec,
        observation_timeout_ns=_ns(timings.observation_s),
        observation_grace_period_ns=_ns(timings.observation_grace_s),
        blockchain_timeout_ns=_ns(timings.blockchain_s),
        database_timeout_ns=_ns(timings.database_s),
        transmit_timeout_ns=_ns(timings.transmit_s),
        config_poll_interval_ns=_ns(timings.config_poll_s),
        config_subscribe_interval_ns=_ns(timings.config_subscribe_s),
        config_confirmations=timings.config_confirmations,
    )


def _seconds(duration_ns: int | None, default_s: float) -> float:
    return default_s if duration_ns is None else duration_ns / NS_PER_S


def _ns(seconds: float) -> int:
    return round(seconds * NS_PER_S)


def _transmitter(spec: JobSpec, config: Config) -> str:
    found = spec.transmitter_address or config.ocr.transmitter_address
    if not found:
        raise SpecInvalid("transmitterAddress", "nothing", "an address here or in OCR.TransmitterAddress")
    if not is_checksummed(found):
        raise SpecInvalid("transmitterAddress", found, "an address with its EIP-55 checksum")
    return found


def _check_task_times(pipeline: Pipeline, max_task_s: float, observation_s: float) -> None:
    if max_task_s > observation_s:
        raise SpecInvalid("maxTaskDuration", f"{max_task_s:g}s", f"at most observationTimeout, {observation_s:g}s")
    for step in pipeline.steps:
        if step.timeout_s is not None and step.timeout_s > observation_s:
            allowed = f"at most observationTimeout, {observation_s:g}s"
            raise SpecInvalid(f"observationSource.{step.id}.timeout", f"{step.timeout_s:g}s", allowed)

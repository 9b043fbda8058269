"""A job as this node runs it: its specification with what the node's configuration and the chain add to it."""

import uuid
from dataclasses import dataclass

from chainlink.jobs import JobSpec
from services.oracle.jobs.schedule import Schedule
from services.oracle.pipeline.graph import Pipeline


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
class Head:
    """
    Hold what a job of any type says of itself.

    Attributes:
        external_job_id: The UUID by which the creator knows it.
        name: Unique on the node, or None.
        gas_limit: Of its transactions; None leaves it to the configuration.
        max_task_ns: The longest a run may take; 0 for no limit of its own.
        pipeline: Its observation source; None if it has none.
        stream_id: A number that a stream may know it by; None if it has none.
    """

    kind: str
    external_job_id: uuid.UUID
    name: str | None = None
    gas_limit: int | None = None
    forwarding_allowed: bool = False
    max_task_ns: int = 0
    pipeline: Pipeline | None = None
    stream_id: int | None = None


@dataclass(frozen=True, slots=True)
class _Job:
    """Hold what all kinds of job have."""

    head: Head

    @property
    def external_job_id(self) -> uuid.UUID:
        """Return the UUID by which the creator knows it."""
        return self.head.external_job_id

    @property
    def name(self) -> str | None:
        """Return the name, unique on the node, or None."""
        return self.head.name

    @property
    def label(self) -> str:
        """Return the name, or the UUID if it has none."""
        return self.name or str(self.external_job_id)


@dataclass(frozen=True, slots=True)
class _OcrJob(_Job):
    """
    Hold what both jobs of a contract have.

    Attributes:
        spec: The specification as it was written; None stands for what it leaves to the node.
    """

    spec: JobSpec
    timings: Timings

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
class BootstrapJob(_OcrJob):
    """Hold a job that lets the oracles of one contract find each other."""


@dataclass(frozen=True, slots=True)
class OracleJob(_OcrJob):
    """
    Hold a job that observes and reports.

    Attributes:
        key_bundle_id: The job's or config.toml's; 32 zeros if neither names one.
        transmitter: The job's or config.toml's; None if neither names one.
        max_task_s: The longest a run may take; 0 means that only the observation timeout limits it.
    """

    key_bundle_id: str
    transmitter: str | None
    pipeline: Pipeline
    max_task_s: float
    gas_limit: int


@dataclass(frozen=True, slots=True)
class CronJob(_Job):
    """Hold a job whose pipeline runs at the times of a schedule."""

    pipeline: Pipeline
    schedule: Schedule
    evm_chain_id: int | None


@dataclass(frozen=True, slots=True)
class WebhookJob(_Job):
    """Hold a job whose pipeline runs on request."""

    pipeline: Pipeline


OcrJob = OracleJob | BootstrapJob
Job = OracleJob | BootstrapJob | CronJob | WebhookJob

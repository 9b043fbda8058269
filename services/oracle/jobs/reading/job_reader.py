"""Read a job's text as a Chainlink node reads it: in its order, under its statuses and with its words."""

import uuid
from collections.abc import Mapping

from chainlink.jobs import OCR1_TYPE, SCHEMA_VERSION, JobSpec
from chainlink.units import NS_PER_S
from services.oracle import go_texts
from services.oracle.errors import FeatureDisabled, JobInvalid, JobMalformed, JobRefused
from services.oracle.jobs.reading import bootstrappers, fields, local_timings
from services.oracle.jobs.reading.fields import FieldFault, Fields
from services.oracle.jobs.schedule import Schedule
from services.oracle.jobs.specification import BootstrapJob, CronJob, Head, Job, OracleJob, WebhookJob
from services.oracle.pipeline.errors import SpecificationError
from services.oracle.pipeline.graph import Pipeline
from services.oracle.settings import Config

_CRON, _WEBHOOK, _OCR2, _OCR2_BOOTSTRAP = "cron", "webhook", "offchainreporting2", "bootstrap"
# Each type that a node knows, and whether it needs a pipeline.
_TYPES: Mapping[str, bool] = {
    OCR1_TYPE: False,
    _OCR2: False,
    _OCR2_BOOTSTRAP: False,
    _CRON: True,
    _WEBHOOK: True,
    "directrequest": True,
    "fluxmonitor": True,
    "vrf": True,
    "stream": True,
    "keeper": False,
    "blockhashstore": False,
    "blockheaderfeeder": False,
    "gateway": False,
    "legacygasstationserver": False,
    "legacygasstationsidecar": False,
    "workflow": False,
    "standardcapabilities": False,
    "ccip": False,
}
_NO_UUID = uuid.UUID(int=0)
_NEEDED = ("type", "schemaVersion", "contractAddress", "isBootstrapPeer")
_SOURCE = "observationSource"
_OCR2_BOOTSTRAP_NEEDED = ("type", "schemaVersion", "relayConfig", "contractID", "relay")
_OCR2_BOOTSTRAP_FORBIDDEN = ("isBootstrapPeer", "juelsPerFeeCoinSource", _SOURCE)
_NO_BUNDLE = "00" * 32


def read(toml: str, config: Config) -> Job:
    """
    Read a job's text.

    Raises:
        JobMalformed: for what every job has: TOML syntax, type, version, pipeline.
        JobInvalid: for what the type of job has.
        FeatureDisabled: for a type that is off in the configuration, or that this node does not run.
        JobRefused: for a type that is refused only when it would be stored.
    """
    try:
        found = Fields.read(toml)
        head = _head(found)
    except FieldFault as error:
        raise JobMalformed(f"failed to parse TOML: {error}") from error
    if "<{}>" in toml:
        raise JobMalformed("failed to parse TOML: '<{}>' syntax is not supported. Please use \"{}\" instead")
    if head.kind == OCR1_TYPE:
        return _ocr(found, head, config)
    if head.kind == _CRON and head.pipeline is not None:
        return _cron(found, head, head.pipeline)
    if head.kind == _WEBHOOK and head.pipeline is not None:
        _check_initiators(found)
        return WebhookJob(head, head.pipeline)
    if head.kind == _OCR2:
        raise FeatureDisabled("The Offchain Reporting 2 feature is disabled by configuration")
    if head.kind == _OCR2_BOOTSTRAP:
        _check_keys(found, _OCR2_BOOTSTRAP_NEEDED, _OCR2_BOOTSTRAP_FORBIDDEN, "bootstrap")
        raise JobRefused(f"job type '{_OCR2_BOOTSTRAP}' has not been registered with the job.Spawner")
    allowed = f"{OCR1_TYPE}, {_CRON}, {_WEBHOOK}"
    raise FeatureDisabled(f"jobs of the type {head.kind} are not run by this node: allowed: {allowed}")


def _head(found: Fields) -> Head:
    """Take what every job has, in the order of the node."""
    external_job_id = found.parsed("externalJobID", fields.external_job_id)
    stream_id = found.natural("streamID", 32)
    kind, version = found.word("type", "job.Type"), found.natural("schemaVersion", 32)
    gas_limit = found.parsed("gasLimit", _gas_limit)
    forwarding_allowed = found.flag("forwardingAllowed")
    name = found.text("name")
    max_task_ns = found.duration_ns("maxTaskDuration")
    pipeline = found.parsed(_SOURCE, _pipeline)
    if kind is None or kind not in _TYPES:
        raise FieldFault("invalid job type")
    if version != SCHEMA_VERSION:
        raise FieldFault("invalid schema version")
    if _TYPES[kind] and pipeline is None:
        raise FieldFault("pipeline spec not specified")
    if pipeline is not None and pipeline.is_asynchronous:
        raise FieldFault(f"async=true tasks are not supported for {kind}")
    made = uuid.uuid4() if external_job_id in (None, _NO_UUID) else external_job_id
    assert made is not None
    return Head(kind, made, name or None, gas_limit, forwarding_allowed, max_task_ns or 0, pipeline, stream_id)


def _gas_limit(text: str) -> int | None:
    return None if text in ("", "null") else go_texts.natural(text, 32)


def _pipeline(source: str) -> Pipeline:
    try:
        return Pipeline.parse(source)
    except SpecificationError as error:
        raise ValueError(str(error)) from error


def _check_initiators(found: Fields) -> None:
    """Refuse what names external initiators: this node has none."""
    named = found.table.get("externalInitiators")
    initiators = named if isinstance(named, list) else []
    names = [initiator.get("name", "") for initiator in initiators if isinstance(initiator, dict)]
    if names:
        cause = "sql: no rows in result set"
        raise JobInvalid("; ".join(f"unable to find external initiator named {name}: {cause}" for name in names))


def _cron(found: Fields, head: Head, pipeline: Pipeline) -> CronJob:
    try:
        text, chain_id = found.word("schedule", "string") or "", found.parsed("evmChainID", fields.chain_id)
    except FieldFault as error:
        raise JobInvalid(f"toml unmarshal error on job: {error}") from error
    try:
        schedule = Schedule.parse(text)
    except ValueError as error:
        raise JobInvalid(str(error)) from error
    return CronJob(head, pipeline, schedule, chain_id)


def _ocr(found: Fields, head: Head, config: Config) -> Job:
    try:
        job = _ocr_job(found, head, config)
    except JobInvalid:
        _check_enabled(config)
        raise
    _check_enabled(config)
    return job


def _check_enabled(config: Config) -> None:
    if not config.ocr.enabled:
        raise FeatureDisabled("The Offchain Reporting feature is disabled by configuration")


def _ocr_job(found: Fields, head: Head, config: Config) -> Job:
    try:
        spec, chain_id = _ocr_spec(found, head)
    except FieldFault as error:
        raise JobInvalid(f"toml unmarshal error on spec: {error}") from error
    if "isBootstrapPeer" not in found.table:
        raise JobInvalid("isBootstrapPeer is not defined")
    bootstrappers.check(spec.bootstrappers)
    if chain_id is None:
        raise JobInvalid('invalid chain id requested: "<nil>"')
    chain = config.chain(chain_id)
    if chain is None:
        raise JobInvalid(f"chain id does not exist: {chain_id}")
    if spec.is_bootstrap:
        _check_keys(found, _NEEDED, (_SOURCE,), "bootstrap")
        return BootstrapJob(head, spec, local_timings.timings(spec, config, chain))
    _check_keys(found, (*_NEEDED, _SOURCE), (), "non-bootstrap")
    if head.pipeline is None:
        raise JobInvalid("no pipeline specified")
    _check_task_times(head, head.pipeline, local_timings.observation_timeout_ns(spec, config))
    return OracleJob(
        head,
        spec,
        local_timings.timings(spec, config, chain),
        spec.key_bundle_id or config.ocr.key_bundle_id or _NO_BUNDLE,
        spec.transmitter_address or config.ocr.transmitter_address,
        head.pipeline,
        max(head.max_task_ns, 0) / NS_PER_S,
        chain.transmit_gas_limit if head.gas_limit is None else head.gas_limit,
    )


def _ocr_spec(found: Fields, head: Head) -> tuple[JobSpec, int | None]:
    """Take what an OCR job has, in the order of the node; its chain may be missing."""
    contract = found.parsed("contractAddress", fields.address)
    locators = found.words("p2pv2Bootstrappers")
    is_bootstrap = found.flag("isBootstrapPeer")
    bundle = found.parsed("keyBundleID", fields.key_bundle_id)
    transmitter = found.parsed("transmitterAddress", fields.address)
    observation_ns, blockchain_ns = found.duration_ns("observationTimeout"), found.duration_ns("blockchainTimeout")
    subscribe_ns = found.duration_ns("contractConfigTrackerSubscribeInterval")
    poll_ns = found.duration_ns("contractConfigTrackerPollInterval")
    confirmations = found.natural("contractConfigConfirmations", 16)
    chain_id = found.parsed("evmChainID", fields.chain_id)
    database_ns, grace_ns = found.duration_ns("databaseTimeout"), found.duration_ns("observationGracePeriod")
    transmit_ns = found.duration_ns("contractTransmitterTransmitTimeout")
    found.flag("captureEATelemetry")
    spec = JobSpec(
        contract_address=contract or "",
        chain_id=chain_id or 0,
        is_bootstrap=is_bootstrap,
        bootstrappers=locators,
        external_job_id=str(head.external_job_id),
        name=head.name,
        key_bundle_id=bundle,
        transmitter_address=transmitter,
        observation_source=None if head.pipeline is None else head.pipeline.source,
        max_task_duration_ns=head.max_task_ns,
        observation_timeout_ns=observation_ns,
        observation_grace_period_ns=grace_ns,
        blockchain_timeout_ns=blockchain_ns,
        database_timeout_ns=database_ns,
        transmit_timeout_ns=transmit_ns,
        config_poll_interval_ns=poll_ns,
        config_subscribe_interval_ns=subscribe_ns,
        config_confirmations=confirmations,
        gas_limit=head.gas_limit,
    )
    return spec, chain_id


def _check_keys(found: Fields, needed: tuple[str, ...], forbidden: tuple[str, ...], peer: str) -> None:
    faults = [f"unrecognised key for {peer} peer: {name}" for name in forbidden if name in found.table]
    faults += [f"missing required key {name}" for name in needed if name not in found.table]
    if faults:
        raise JobInvalid("; ".join(faults))


def _check_task_times(head: Head, pipeline: Pipeline, observation_ns: int) -> None:
    if head.max_task_ns > observation_ns:
        raise JobInvalid("max task duration must be < observation timeout")
    if any((step.timeout_s or 0) * NS_PER_S > observation_ns for step in pipeline.steps):
        raise JobInvalid("individual max task duration must be < observation timeout")

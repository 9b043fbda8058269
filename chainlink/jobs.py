"""An OCR1 job: the TOML that a node takes, the attributes that it answers, and the rules that both keep to."""

import re
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from chainlink import toml_reader
from chainlink.errors import SpecInvalid, SpecMalformed
from chainlink.units import NS_PER_MS, NS_PER_S, format_duration_ns, parse_duration_ns
from meshkit.ethereum.address import is_checksummed

OCR1_TYPE = "offchainreporting"
SCHEMA_VERSION = 1
_ATTRIBUTES = "offChainReportingOracleSpec"
_LOCATOR = re.compile(r"12D3KooW[1-9A-HJ-NP-Za-km-z]{44}@[^\s/@]+:[0-9]{1,5}(?:/[^\s/@]+:[0-9]{1,5})*")
_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-?[0-9a-fA-F]{4}){3}-?[0-9a-fA-F]{12}")
_LONGEST_NAME = 255
_MOST_CONFIRMATIONS = 100
_MOST_GAS = 2**32 - 1
_ANY_NS = 2**63 - 1
# Of a number of 256 bits.
_MOST_DIGITS = 78


@dataclass(frozen=True, slots=True)
class _Duration:
    """Hold a duration's name in the TOML, the range that it must be in, and what a node takes where it is left out."""

    name: str
    least_ns: int
    most_ns: int
    default_ns: int = 0


# By the field of JobSpec; libocr checks all but the first.
_DURATIONS = {
    "max_task_duration_ns": _Duration("maxTaskDuration", 0, _ANY_NS),
    "observation_timeout_ns": _Duration("observationTimeout", NS_PER_S, 20 * NS_PER_S, 5 * NS_PER_S),
    "observation_grace_period_ns": _Duration("observationGracePeriod", 10 * NS_PER_MS, 2 * NS_PER_S, NS_PER_S),
    "blockchain_timeout_ns": _Duration("blockchainTimeout", NS_PER_S, 20 * NS_PER_S, 20 * NS_PER_S),
    "database_timeout_ns": _Duration("databaseTimeout", 100 * NS_PER_MS, 10 * NS_PER_S, 10 * NS_PER_S),
    "transmit_timeout_ns": _Duration("contractTransmitterTransmitTimeout", NS_PER_S, 60 * NS_PER_S, 10 * NS_PER_S),
    "config_poll_interval_ns": _Duration(
        "contractConfigTrackerPollInterval", 15 * NS_PER_S, 120 * NS_PER_S, 60 * NS_PER_S
    ),
    "config_subscribe_interval_ns": _Duration(
        "contractConfigTrackerSubscribeInterval", 60 * NS_PER_S, 300 * NS_PER_S, 120 * NS_PER_S
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class JobSpec:
    """
    Hold one OCR1 job; None stands for what is left to the node.

    Attributes:
        external_job_id: The UUID by which its maker knows it, in its canonical spelling.
        contract_address: The aggregator's checksummed address.
        is_bootstrap: Whether it only lets the oracles of the contract find each other: then it has neither bundle,
            transmitter nor source.
        bootstrappers: Locators `peerid@host:port`; empty: those of the node's configuration.
    """

    contract_address: str
    chain_id: int
    is_bootstrap: bool
    bootstrappers: tuple[str, ...] = ()
    external_job_id: str | None = None
    name: str | None = None
    key_bundle_id: str | None = None
    transmitter_address: str | None = None
    observation_source: str | None = None
    max_task_duration_ns: int | None = None
    observation_timeout_ns: int | None = None
    observation_grace_period_ns: int | None = None
    blockchain_timeout_ns: int | None = None
    database_timeout_ns: int | None = None
    transmit_timeout_ns: int | None = None
    config_poll_interval_ns: int | None = None
    config_subscribe_interval_ns: int | None = None
    config_confirmations: int | None = None
    gas_limit: int | None = None

    def toml(self) -> str:
        """Return the job's text as a node's API takes it."""
        # A node reads jobs and never writes one.
        import tomlkit

        values: dict[str, Any] = {
            "type": OCR1_TYPE,
            "schemaVersion": SCHEMA_VERSION,
            "name": self.name,
            "externalJobID": self.external_job_id,
            "evmChainID": str(self.chain_id),
            "contractAddress": self.contract_address,
            "isBootstrapPeer": self.is_bootstrap,
            "p2pv2Bootstrappers": list(self.bootstrappers),
            "keyBundleID": self.key_bundle_id,
            "transmitterAddress": self.transmitter_address,
            **{kind.name: _text(getattr(self, field)) for field, kind in _DURATIONS.items()},
            "contractConfigConfirmations": self.config_confirmations,
            "gasLimit": self.gas_limit,
        }
        document = tomlkit.document()
        for name, value in values.items():
            if value is not None:
                document[name] = value
        if self.observation_source is not None:
            # A literal string: the source's own backslashes and quotes stay as they are.
            document["observationSource"] = tomlkit.string(self.observation_source, literal=True, multiline=True)
        return tomlkit.dumps(document)

    @classmethod
    def read(cls, document: Mapping[str, Any]) -> "JobSpec":
        """
        Read the table of a TOML text, as `document_of` gives it; keys that nobody knows are ignored, as nodes do.

        Raises:
            SpecMalformed: for an unknown type, another version, or a value of another form.
            SpecInvalid: for a field that is missing or breaks a rule.
        """
        if document.get("type") != OCR1_TYPE:
            raise SpecMalformed("type", document.get("type"), OCR1_TYPE)
        version = _optional(document, "schemaVersion", int)
        if version != SCHEMA_VERSION:
            raise SpecMalformed("schemaVersion", version, str(SCHEMA_VERSION))
        is_bootstrap: bool = _needed("isBootstrapPeer", _optional(document, "isBootstrapPeer", bool), "true or false")
        return cls(
            contract_address=_needed("contractAddress", _address(document, "contractAddress"), "an address"),
            chain_id=_chain_id(document),
            is_bootstrap=is_bootstrap,
            bootstrappers=_bootstrappers(document),
            external_job_id=_external_job_id(document),
            name=_name(document),
            key_bundle_id=_optional(document, "keyBundleID", str) or None,
            transmitter_address=_address(document, "transmitterAddress"),
            observation_source=_source(document, is_bootstrap=is_bootstrap),
            config_confirmations=_number(document, "contractConfigConfirmations", 0, _MOST_CONFIRMATIONS, SpecInvalid),
            gas_limit=_number(document, "gasLimit", 0, _MOST_GAS, SpecMalformed),
            **{field: _duration(document, kind) for field, kind in _DURATIONS.items()},
        )

    def attributes(self) -> dict[str, Any]:
        """Return what a node's API answers of the job's own values; None is null, a duration as Go prints it."""
        return {
            "name": self.name or "",
            "type": OCR1_TYPE,
            "schemaVersion": SCHEMA_VERSION,
            "gasLimit": self.gas_limit,
            "maxTaskDuration": format_duration_ns(self.max_task_duration_ns or 0),
            "externalJobID": self.external_job_id,
            _ATTRIBUTES: {
                "contractAddress": self.contract_address,
                "p2pv2Bootstrappers": list(self.bootstrappers),
                "isBootstrapPeer": self.is_bootstrap,
                "keyBundleID": self.key_bundle_id,
                "transmitterAddress": self.transmitter_address,
                "contractConfigConfirmations": self.config_confirmations,
                "evmChainID": str(self.chain_id),
                **{
                    kind.name: _text(getattr(self, field))
                    for field, kind in _DURATIONS.items()
                    if field != "max_task_duration_ns"
                },
            },
        }

    def differences(self, attributes: Mapping[str, Any]) -> tuple[str, ...]:
        """
        Return the names of the fields in which a job that a node answers differs, in a fixed order.

        Where this job leaves a value to the node, the node's default is no difference, and neither is how the node
        spells a value. Of a bootstrap node's job only what it needs is compared.
        """
        spec, pipeline = _table(attributes.get(_ATTRIBUTES)), _table(attributes.get("pipelineSpec"))
        pairs: dict[str, tuple[object, object]] = {
            "type": (OCR1_TYPE, attributes.get("type")),
            "name": (self.name, attributes.get("name")),
            "contractAddress": (self.contract_address.lower(), _lower(spec.get("contractAddress"))),
            "evmChainID": (str(self.chain_id), str(spec.get("evmChainID"))),
            "isBootstrapPeer": (self.is_bootstrap, spec.get("isBootstrapPeer")),
            "p2pv2Bootstrappers": (self.bootstrappers, _texts(spec.get("p2pv2Bootstrappers"))),
            "keyBundleID": (self.key_bundle_id, spec.get("keyBundleID")),
            "transmitterAddress": (_lower(self.transmitter_address), _lower(spec.get("transmitterAddress"))),
            "observationSource": (_words(self.observation_source), _words(pipeline.get("dotDagSource"))),
        }
        names = [name for name, (wanted, found) in pairs.items() if wanted not in (None, found)]
        if not self.is_bootstrap:
            names += self._differing_numbers(attributes, spec)
        return tuple(names)

    def _differing_numbers(self, attributes: Mapping[str, Any], spec: Mapping[str, Any]) -> Iterator[str]:
        for field, kind in _DURATIONS.items():
            found = (attributes if field == "max_task_duration_ns" else spec).get(kind.name)
            wanted_ns: int | None = getattr(self, field)
            if (_duration_ns(found) or kind.default_ns) != (wanted_ns or kind.default_ns):
                yield kind.name
        if (attributes.get("gasLimit") or None) != self.gas_limit:
            yield "gasLimit"
        if attributes.get("forwardingAllowed"):
            yield "forwardingAllowed"
        confirmations = spec.get("contractConfigConfirmations")
        if None not in (confirmations, self.config_confirmations) and confirmations != self.config_confirmations:
            yield "contractConfigConfirmations"


def document_of(toml: str) -> Mapping[str, Any]:
    """Return the table of a job's text; SpecMalformed if it is no TOML, or has what nodes refuse anywhere in it."""
    if "<{}>" in toml:
        raise SpecMalformed("toml", "<{}>", "text without it")
    return toml_reader.read(toml)


def contract_of(attributes: Mapping[str, Any]) -> tuple[int, str] | None:
    """Return chain id and contract address of a job that a node answers, None if it is no OCR1 job."""
    spec = attributes.get(_ATTRIBUTES)
    if attributes.get("type") != OCR1_TYPE or not isinstance(spec, Mapping):
        return None
    chain_id = str(spec.get("evmChainID"))
    return (int(chain_id), str(spec.get("contractAddress"))) if _is_number(chain_id) else None


def _optional(document: Mapping[str, Any], name: str, kind: type) -> Any:
    value = document.get(name)
    if value is not None and (not isinstance(value, kind) or (kind is int and isinstance(value, bool))):
        raise SpecMalformed(name, value, f"a value of type {kind.__name__}")
    return value


def _needed(name: str, value: Any, allowed: str) -> Any:
    if value is None:
        raise SpecInvalid(name, "nothing", allowed)
    return value


def _source(document: Mapping[str, Any], *, is_bootstrap: bool) -> str | None:
    source: str | None = _optional(document, "observationSource", str)
    if is_bootstrap and source is not None:
        raise SpecInvalid("observationSource", "a pipeline", "none: unrecognised key for bootstrap peer")
    if not is_bootstrap and not (source and source.strip()):
        raise SpecInvalid("observationSource", "nothing", "a pipeline: no pipeline specified")
    return source


def _chain_id(document: Mapping[str, Any]) -> int:
    text = str(_needed("evmChainID", document.get("evmChainID"), "the id of a chain"))
    if not _is_number(text):
        raise SpecInvalid("evmChainID", text, "the id of a chain, a number")
    return int(text)


def _external_job_id(document: Mapping[str, Any]) -> str | None:
    text = _optional(document, "externalJobID", str)
    if not text:
        return None
    if not _UUID.fullmatch(text):
        raise SpecMalformed("externalJobID", text, "a UUID")
    return str(uuid.UUID(text))


def _name(document: Mapping[str, Any]) -> str | None:
    name: str | None = _optional(document, "name", str)
    if name is not None and len(name) > _LONGEST_NAME:
        raise SpecInvalid("name", f"{len(name)} characters", f"at most {_LONGEST_NAME}")
    return name


def _bootstrappers(document: Mapping[str, Any]) -> tuple[str, ...]:
    locators = _optional(document, "p2pv2Bootstrappers", list) or []
    for index, locator in enumerate(locators):
        if not isinstance(locator, str) or not _LOCATOR.fullmatch(locator):
            raise SpecInvalid(f"p2pv2Bootstrappers[{index}]", locator, "12D3KooW…@host:port")
    return tuple(locators)


def _address(document: Mapping[str, Any], name: str) -> str | None:
    text: str | None = _optional(document, name, str)
    if text and not is_checksummed(text):
        raise SpecInvalid(name, text, "an address with its EIP-55 checksum")
    return text or None


def _number(
    document: Mapping[str, Any], name: str, least: int, most: int, error: type[SpecInvalid | SpecMalformed]
) -> int | None:
    value: int | None = _optional(document, name, int)
    if value is not None and not least <= value <= most:
        raise error(name, value, f"{least} to {most}")
    return value or None


def _duration(document: Mapping[str, Any], kind: _Duration) -> int | None:
    text = _optional(document, kind.name, str)
    if not text:
        return None
    try:
        duration_ns = parse_duration_ns(text)
    except ValueError as error:
        raise SpecMalformed(kind.name, text, str(error)) from error
    if duration_ns and not kind.least_ns <= duration_ns <= kind.most_ns:
        allowed = f"{format_duration_ns(kind.least_ns)} to {format_duration_ns(kind.most_ns)}"
        raise SpecInvalid(kind.name, text, allowed)
    return duration_ns or None


def _text(duration_ns: int | None) -> str | None:
    return None if duration_ns is None else format_duration_ns(duration_ns)


def _duration_ns(text: object) -> int | None:
    try:
        return parse_duration_ns(text) if isinstance(text, str) else None
    except ValueError:
        return None


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS


def _lower(text: object) -> str | None:
    return text.lower() if isinstance(text, str) else None


def _table(found: object) -> Mapping[str, Any]:
    return found if isinstance(found, Mapping) else {}


def _texts(found: object) -> tuple[object, ...]:
    return tuple(found) if isinstance(found, list) else ()


def _words(text: object) -> list[str] | None:
    """Return the words of a pipeline: nodes may trim or re-indent what they store."""
    return text.split() if isinstance(text, str) else None

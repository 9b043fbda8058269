"""The jobs that nodes run for a feed, as the TOML that a node takes and as the attributes that it answers."""

import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import orjson
import tomlkit

from services.operator.config import OcrSettings
from services.operator.nodes.identity import NodeIdentity

BRIDGE_NAME = "feedmesh-quotes"
JOB_TYPE = "offchainreporting"
# Version 5 UUIDs of job ids live in this namespace. Never change it: every job of every node would be made anew.
_NAMESPACE = uuid.UUID("5d6a5f5e-5b0e-5c0e-9e0a-3f7a2b8c4d10")
_GO_UNITS_NS = {"ns": 1, "us": 10**3, "µs": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9}
_GO_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)")


@dataclass(frozen=True, slots=True)
class JobSpec:
    """Hold one OCR1 job; a bootstrap job has neither bundle, transmitter nor source. Timeouts are Go durations."""

    name: str
    external_job_id: str
    chain_id: int
    contract_address: str
    is_bootstrap: bool
    bootstrappers: tuple[str, ...]
    key_bundle_id: str | None = None
    transmitter_address: str | None = None
    observation_timeout: str | None = None
    observation_source: str | None = None

    def toml(self) -> str:
        """Return the job's text as a node's API takes it."""
        document = tomlkit.document()
        document["type"] = JOB_TYPE
        document["schemaVersion"] = 1
        document["name"] = self.name
        document["externalJobID"] = self.external_job_id
        document["evmChainID"] = str(self.chain_id)
        document["contractAddress"] = self.contract_address
        document["isBootstrapPeer"] = self.is_bootstrap
        document["p2pv2Bootstrappers"] = list(self.bootstrappers)
        optional = {
            "keyBundleID": self.key_bundle_id,
            "transmitterAddress": self.transmitter_address,
            "observationTimeout": self.observation_timeout,
        }
        for name, value in optional.items():
            if value is not None:
                document[name] = value
        if self.observation_source is not None:
            # A literal string: the source's own backslashes and quotes stay as they are.
            document["observationSource"] = tomlkit.string(self.observation_source, literal=True, multiline=True)
        return tomlkit.dumps(document)

    def differences(self, attributes: Mapping[str, Any]) -> tuple[str, ...]:
        """Return the names of the fields in which a job that a node answers differs, in a fixed order."""
        spec = attributes.get("offChainReportingOracleSpec") or {}
        pipeline = attributes.get("pipelineSpec") or {}
        pairs: dict[str, tuple[object, object]] = {
            "type": (JOB_TYPE, attributes.get("type")),
            "name": (self.name, attributes.get("name")),
            "contractAddress": (self.contract_address.lower(), str(spec.get("contractAddress")).lower()),
            "evmChainID": (str(self.chain_id), str(spec.get("evmChainID"))),
            "isBootstrapPeer": (self.is_bootstrap, spec.get("isBootstrapPeer")),
            "p2pv2Bootstrappers": (self.bootstrappers, tuple(spec.get("p2pv2Bootstrappers") or ())),
        }
        if not self.is_bootstrap:
            pairs |= {
                "keyBundleID": (self.key_bundle_id, spec.get("keyBundleID")),
                "transmitterAddress": (
                    str(self.transmitter_address).lower(),
                    str(spec.get("transmitterAddress")).lower(),
                ),
                "observationTimeout": (
                    go_duration_ns(self.observation_timeout),
                    go_duration_ns(spec.get("observationTimeout")),
                ),
                "observationSource": (_words(self.observation_source), _words(pipeline.get("dotDagSource"))),
            }
        return tuple(name for name, (expected, found) in pairs.items() if expected != found)


def external_job_id(chain_id: int, contract_address: str, node_name: str) -> str:
    """Return the id that a node's job for a contract always has: a version 5 UUID of the three."""
    return str(uuid.uuid5(_NAMESPACE, f"{chain_id}/{contract_address.lower()}/{node_name}"))


def is_ours(attributes: Mapping[str, Any], node_name: str) -> bool:
    """Tell whether a job was made by an operator: its id is the one derived from its own contract and node."""
    spec = attributes.get("offChainReportingOracleSpec")
    if attributes.get("type") != JOB_TYPE or not isinstance(spec, Mapping):
        return False
    try:
        chain_id = int(spec.get("evmChainID", ""))
    except (TypeError, ValueError):
        return False
    derived = external_job_id(chain_id, str(spec.get("contractAddress")), node_name)
    return bool(attributes.get("externalJobID") == derived)


def oracle_job(
    feed: str,
    decimals: int,
    chain_id: int,
    contract_address: str,
    node: NodeIdentity,
    bootstrappers: tuple[str, ...],
    timeout_ms: int,
) -> JobSpec:
    """Return an oracle's job for a feed; `timeout_ms` is how long an observation may take."""
    if node.ocr is None:
        raise ValueError(f"{node.name} is a bootstrap node and cannot observe")
    return JobSpec(
        name=feed,
        external_job_id=external_job_id(chain_id, contract_address, node.name),
        chain_id=chain_id,
        contract_address=contract_address,
        is_bootstrap=False,
        bootstrappers=bootstrappers,
        key_bundle_id=node.ocr.bundle_id,
        transmitter_address=node.transmitter_address,
        observation_timeout=f"{timeout_ms}ms",
        observation_source=observation_source(feed, decimals, timeout_ms),
    )


def bootstrap_job(feed: str, chain_id: int, contract_address: str, node: NodeIdentity) -> JobSpec:
    """Return a bootstrap node's job for a feed: oracles of a contract meet only through one."""
    return JobSpec(
        name=f"bootstrap {feed}",
        external_job_id=external_job_id(chain_id, contract_address, node.name),
        chain_id=chain_id,
        contract_address=contract_address,
        is_bootstrap=True,
        bootstrappers=(),
    )


def observation_timeout_ms(settings: OcrSettings) -> int:
    """Return how long an observation may take: it must fit the round before the grace; nodes accept 1 s to 20 s."""
    return min(max((settings.delta_round_ms - settings.delta_grace_ms) * 3 // 4, 1000), 20_000)


def observation_source(feed: str, decimals: int, timeout_ms: int) -> str:
    """Return the pipeline: ask the aggregator, take the price out of its answer, scale it to the feed's decimals."""
    request = orjson.dumps({"data": {"feed": feed}}).decode().replace("\\", "\\\\").replace('"', '\\"')
    # The task must end before the observation does, so that its own error is what is reported.
    task_ms = timeout_ms * 9 // 10
    return (
        f'\n    quote [type=bridge name="{BRIDGE_NAME}" requestData="{request}" timeout="{task_ms}ms"];\n'
        '    price [type=jsonparse path="data,result"];\n'
        f"    answer [type=multiply times={10**decimals}];\n"
        "    quote -> price -> answer;\n"
    )


def go_duration_ns(text: object) -> int | None:
    """Return the nanoseconds of a Go duration such as `1m0s` or `1.5s`; None for what is none."""
    if not isinstance(text, str) or not text or _GO_DURATION.sub("", text):
        return 0 if text == "0" else None
    return sum(int(Decimal(number) * _GO_UNITS_NS[unit]) for number, unit in _GO_DURATION.findall(text))


def _words(text: object) -> list[str]:
    """Return the words of a pipeline: nodes may trim or re-indent what they store."""
    return text.split() if isinstance(text, str) else []

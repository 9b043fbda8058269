"""Jobs, as they are written, read and answered."""

import json
import tomllib
import uuid
from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chainlink.errors import SpecInvalid, SpecMalformed
from chainlink.jobs import JobSpec, contract_of, document_of
from chainlink.keys.peer_id import encode_peer_id
from chainlink.units import NS_PER_MS, NS_PER_S
from meshkit.errors import InvalidInput
from meshkit.ethereum.address import checksummed

_CONTRACT = "0xb2120143da57569d36558B36A532E3a96F5e43b3"
_TRANSMITTER = "0x6D8B527896615e2D73cBEBD87B6Ba1e055761C4C"
_LOCATOR = "12D3KooWEPQwY5VuK7m6GfFujirKAs7kJQ7QCeDLqFJFrRRTXQDR@127.0.0.1:9901"
_SPEC = JobSpec(
    contract_address=_CONTRACT,
    chain_id=5611,
    is_bootstrap=False,
    bootstrappers=(_LOCATOR,),
    external_job_id="6b9f6b1e-7a59-5d2a-9a35-0c1d2e3f4a5b",
    name="BTC / USD",
    key_bundle_id="8a7da57bc2c693142e0e50650b3b944043519d49797545f7dcc0b2e96fba8d1e",
    transmitter_address=_TRANSMITTER,
    observation_source='\n    a [type=memo value="x\\"y"];\n',
    observation_timeout_ns=1125 * NS_PER_MS,
)
_BOOTSTRAP = JobSpec(contract_address=_CONTRACT, chain_id=5611, is_bootstrap=True)


def _between(least_ns: int, most_ns: int) -> st.SearchStrategy[int | None]:
    return st.none() | st.integers(least_ns, most_ns)


_addresses = st.binary(min_size=20, max_size=20).map(lambda raw: checksummed("0x" + raw.hex()))
_locators = st.builds(
    lambda key, port: f"{encode_peer_id(key)}@127.0.0.1:{port}",
    st.binary(min_size=32, max_size=32),
    st.integers(1, 65_535),
)
_texts = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=30)
_specs = st.builds(
    JobSpec,
    contract_address=_addresses,
    chain_id=st.integers(0, 2**63),
    is_bootstrap=st.just(False),
    bootstrappers=st.lists(_locators, max_size=3).map(tuple),
    external_job_id=st.none() | st.uuids().map(str),
    name=st.none() | _texts.filter(lambda text: "<{}>" not in text),
    key_bundle_id=st.none() | st.binary(min_size=32, max_size=32).map(bytes.hex),
    transmitter_address=st.none() | _addresses,
    observation_source=st.sampled_from(["a [type=memo];", "\na [type=any];\n", 'a [x="\\"\\\\"];']),
    max_task_duration_ns=_between(1, 2**63 - 1),
    observation_timeout_ns=_between(NS_PER_S, 20 * NS_PER_S),
    observation_grace_period_ns=_between(10 * NS_PER_MS, 2 * NS_PER_S),
    blockchain_timeout_ns=_between(NS_PER_S, 20 * NS_PER_S),
    database_timeout_ns=_between(100 * NS_PER_MS, 10 * NS_PER_S),
    transmit_timeout_ns=_between(NS_PER_S, 60 * NS_PER_S),
    config_poll_interval_ns=_between(15 * NS_PER_S, 120 * NS_PER_S),
    config_subscribe_interval_ns=_between(60 * NS_PER_S, 300 * NS_PER_S),
    config_confirmations=st.none() | st.integers(1, 100),
    gas_limit=st.none() | st.integers(1, 2**32 - 1),
)


def _answered(spec: JobSpec) -> dict[str, Any]:
    """Return what a node's API would say of a job, once over the wire."""
    attributes = spec.attributes() | {"pipelineSpec": {"id": 1, "dotDagSource": spec.observation_source or ""}}
    answer: dict[str, Any] = json.loads(json.dumps(attributes))
    return answer


@given(_specs)
@settings(deadline=None)
def test_what_is_written_reads_as_the_same_job(spec: JobSpec) -> None:
    """The maker's text gives the reader the maker's job, and what the reader then answers is no difference."""
    assert spec == JobSpec.read(document_of(spec.toml()))
    assert () == spec.differences(_answered(spec))


def test_a_bootstrap_job() -> None:
    """A bootstrap job has neither keys nor a source, in its text as in its answer."""
    found = tomllib.loads(_BOOTSTRAP.toml())

    assert _BOOTSTRAP == JobSpec.read(found)
    assert ([], True) == (found["p2pv2Bootstrappers"], found["isBootstrapPeer"])
    assert not {"observationSource", "keyBundleID", "transmitterAddress", "observationTimeout"} & found.keys()
    assert () == _BOOTSTRAP.differences(_answered(_BOOTSTRAP))


def test_durations_are_gos() -> None:
    """A duration is read in any spelling of Go, and a zero is as good as none."""
    text = _SPEC.toml().replace('"1.125s"', '"1s125ms"')
    assert text != _SPEC.toml()

    assert _SPEC == JobSpec.read(document_of(text))
    assert replace(_SPEC, observation_timeout_ns=None) == JobSpec.read(document_of(text.replace("1s125ms", "0s")))


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        ("type", "cron", SpecMalformed),
        ("type", None, SpecMalformed),
        ("schemaVersion", 2, SpecMalformed),
        ("schemaVersion", True, SpecMalformed),
        ("schemaVersion", None, SpecMalformed),
        ("isBootstrapPeer", None, SpecInvalid),
        ("isBootstrapPeer", "false", SpecMalformed),
        ("name", 5, SpecMalformed),
        ("contractAddress", None, SpecInvalid),
        ("contractAddress", "", SpecInvalid),
        ("contractAddress", _CONTRACT.lower(), SpecInvalid),
        ("transmitterAddress", "0x6D8B", SpecInvalid),
        ("evmChainID", None, SpecInvalid),
        ("evmChainID", "opBNB", SpecInvalid),
        ("evmChainID", True, SpecInvalid),
        ("evmChainID", -1, SpecInvalid),
        ("evmChainID", "\u00b2", SpecInvalid),
        ("evmChainID", "\u0665", SpecInvalid),
        ("evmChainID", "1" * 5000, SpecInvalid),
        ("externalJobID", "not-a-uuid", SpecMalformed),
        ("p2pv2Bootstrappers", [_LOCATOR, "12D3KooW@127.0.0.1:9901"], SpecInvalid),
        ("p2pv2Bootstrappers", [_LOCATOR.partition("@")[0]], SpecInvalid),
        ("p2pv2Bootstrappers", [_LOCATOR.replace("9901", "\u0669")], SpecInvalid),
        ("p2pv2Bootstrappers", "none", SpecMalformed),
        ("observationSource", None, SpecInvalid),
        ("observationSource", " \n", SpecInvalid),
        ("observationTimeout", 10, SpecMalformed),
        ("observationTimeout", "soon", SpecMalformed),
        ("observationTimeout", "999ms", SpecInvalid),
        ("observationTimeout", "-1s", SpecInvalid),
        ("observationTimeout", "20.000000001s", SpecInvalid),
        ("observationGracePeriod", "9ms", SpecInvalid),
        ("observationGracePeriod", "2.1s", SpecInvalid),
        ("blockchainTimeout", "21s", SpecInvalid),
        ("databaseTimeout", "99ms", SpecInvalid),
        ("databaseTimeout", "11s", SpecInvalid),
        ("contractTransmitterTransmitTimeout", "61s", SpecInvalid),
        ("contractConfigTrackerPollInterval", "14s", SpecInvalid),
        ("contractConfigTrackerSubscribeInterval", "59s", SpecInvalid),
        ("contractConfigTrackerSubscribeInterval", "5m1s", SpecInvalid),
        ("contractConfigConfirmations", 101, SpecInvalid),
        ("contractConfigConfirmations", -1, SpecInvalid),
        ("contractConfigConfirmations", True, SpecMalformed),
        ("gasLimit", -1, SpecMalformed),
        ("gasLimit", 2**32, SpecMalformed),
    ],
)
def test_what_breaks_a_rule_is_named(name: str, value: object, error: type[InvalidInput]) -> None:
    """A field that is missing or not allowed is refused by its name in the text."""
    document = tomllib.loads(_SPEC.toml())
    assert name in document or value is not None
    document.pop(name, None)
    document |= {} if value is None else {name: value}

    with pytest.raises(error) as caught:
        JobSpec.read(document)

    assert name == caught.value.field.partition("[")[0]


def test_a_bootstrapper_observes_nothing() -> None:
    """A bootstrap job with a source is refused, even an empty one."""
    for source in ("", "a [type=memo];"):
        with pytest.raises(SpecInvalid, match="unrecognised key for bootstrap peer"):
            JobSpec.read(tomllib.loads(_BOOTSTRAP.toml()) | {"observationSource": source})


def test_unknown_keys_are_ignored() -> None:
    """A key that nobody knows, and forms that leave a value to the node, change nothing."""
    document = tomllib.loads(_SPEC.toml()) | {
        "p2pBootstrapPeers": ["x"],
        "gasLimit": 0,
        "contractConfigConfirmations": 0,
    }

    assert _SPEC == JobSpec.read(document | {"evmChainID": 5611})


@pytest.mark.parametrize("text", ["hello", "type = ", 'name = "<{}>"', "a = 1" + "0" * 5000, "a = " + "[" * 5000])
def test_what_is_no_toml(text: str) -> None:
    """What no node can read is refused, however absurd."""
    with pytest.raises(SpecMalformed, match="failed to parse TOML"):
        document_of(text)


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"name": "ETH / USD"}, "name"),
        ({"contract_address": _TRANSMITTER}, "contractAddress"),
        ({"chain_id": 1}, "evmChainID"),
        ({"is_bootstrap": True}, "isBootstrapPeer"),
        ({"bootstrappers": ()}, "p2pv2Bootstrappers"),
        ({"key_bundle_id": "00" * 32}, "keyBundleID"),
        ({"transmitter_address": _CONTRACT}, "transmitterAddress"),
        ({"observation_timeout_ns": 5 * NS_PER_S}, "observationTimeout"),
        ({"observation_source": "a -> b"}, "observationSource"),
    ],
)
def test_each_difference_is_named(changes: dict[str, Any], name: str) -> None:
    """A job that a node answers with one value of another is told apart by that field."""
    assert (name,) == _SPEC.differences(_answered(replace(_SPEC, **changes)))


def test_spellings_are_no_difference() -> None:
    """How a node spells an address, a duration or a pipeline, and what it adds, is no difference."""
    answer = _answered(_SPEC)
    spec = answer["offChainReportingOracleSpec"]
    spec["contractAddress"] = spec["contractAddress"].lower()
    spec["transmitterAddress"] = spec["transmitterAddress"].upper().replace("0X", "0x")
    spec["observationTimeout"] = "1125ms"
    spec["evmChainID"] = 5611
    spec["blockchainTimeout"] = "20s"
    answer["pipelineSpec"]["dotDagSource"] = 'a [type=memo   value="x\\"y"];'

    assert () == _SPEC.differences(answer)
    assert () == _BOOTSTRAP.differences(_answered(replace(_BOOTSTRAP, observation_timeout_ns=NS_PER_S)))


@pytest.mark.parametrize("attributes", [{}, {"offChainReportingOracleSpec": None, "pipelineSpec": None}])
def test_a_job_of_another_type_differs(attributes: dict[str, Any]) -> None:
    """A job without OCR1's attributes differs in everything, and has no contract."""
    assert "type" == _SPEC.differences(attributes)[0]
    assert {"contractAddress", "keyBundleID", "observationSource"} <= set(_SPEC.differences(attributes))
    assert contract_of(attributes) is None


def test_contract_of_a_job() -> None:
    """A job's chain and contract are those it answers; a chain that is no number is none."""
    answer = _answered(_SPEC)
    assert (5611, _CONTRACT) == contract_of(answer)

    answer["offChainReportingOracleSpec"]["evmChainID"] = "\u00b2"
    assert contract_of(answer) is None


def test_every_field_is_written() -> None:
    """No field of a job is forgotten in its text: each one set adds its key."""
    names = [field.name for field in fields(JobSpec)]
    values: dict[str, Any] = dict.fromkeys((name for name in names if name.endswith("_ns")), 20 * NS_PER_S)
    values |= {"config_confirmations": 3, "gas_limit": 5, "external_job_id": str(uuid.uuid4())}
    spec = replace(_SPEC, **values)

    assert len(names) + len(("type", "schemaVersion")) == len(tomllib.loads(spec.toml()))

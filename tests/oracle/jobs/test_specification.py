"""Job specifications."""

from pathlib import Path

import pytest

from meshkit.errors import MeshError
from services.oracle.jobs.specification import BootstrapJob, OracleJob, parse
from services.oracle.settings import Config, read_config
from tests.oracle.test_settings import CONFIG, written

ORACLE = """
type = "offchainreporting"
schemaVersion = 1
name = "BTC / USD"
externalJobID = "6b9f6b1e-7a59-5d2a-9a35-0c1d2e3f4a5b"
evmChainID = "5611"
contractAddress = "0xb2120143da57569d36558B36A532E3a96F5e43b3"
isBootstrapPeer = false
keyBundleID = "8a7da57bc2c693142e0e50650b3b944043519d49797545f7dcc0b2e96fba8d1e"
transmitterAddress = "0x6D8B527896615e2D73cBEBD87B6Ba1e055761C4C"
p2pv2Bootstrappers = ["12D3KooWEPQwY5VuK7m6GfFujirKAs7kJQ7QCeDLqFJFrRRTXQDR@127.0.0.1:9901"]
observationTimeout = "10s"
observationSource = \"\"\"
    ds1 [type=bridge name="agg-btc-usd" requestData="{\\\\"data\\\\":{\\\\"pair\\\\":\\\\"BTC/USD\\\\"}}" timeout="5s"];
    ds1_parse [type=jsonparse path="data,result"];
    ds1 -> ds1_parse;
\"\"\"
"""
BOOTSTRAP = """
type = "offchainreporting"
schemaVersion = 1
evmChainID = 5611
contractAddress = "0xb2120143da57569d36558B36A532E3a96F5e43b3"
isBootstrapPeer = true
p2pv2Bootstrappers = []
somethingUnknown = "is ignored"
"""


@pytest.fixture(name="config")
def _config(tmp_path: Path) -> Config:
    """Give the configuration of a node on chain 5611."""
    return read_config(written(tmp_path, "config.toml", CONFIG))


def test_an_oracle_job(config: Config) -> None:
    """A specification as deployments have it is read, missing values are the node's and the chain's."""
    job = parse(ORACLE, config)

    assert isinstance(job, OracleJob)
    assert ("BTC / USD", 5611, 500_000) == (job.name, job.chain_id, job.gas_limit)
    assert ["agg-btc-usd"] == job.pipeline.bridges()
    timings = job.timings
    assert (10.0, 1.0, 20.0, 60.0, 1) == (
        timings.observation_s,
        timings.observation_grace_s,
        timings.blockchain_s,
        timings.config_poll_s,
        timings.config_confirmations,
    )


def test_a_bootstrap_job(config: Config) -> None:
    """A bootstrap job needs neither keys nor a pipeline; keys of the text that nobody knows are ignored."""
    job = parse(BOOTSTRAP, config)

    assert isinstance(job, BootstrapJob)
    assert job.contract == job.label


@pytest.mark.parametrize(
    ("old", "new", "status", "field"),
    [
        ("schemaVersion = 1", "schemaVersion = ", 422, "TOML"),
        ("schemaVersion = 1", "schemaVersion = 2", 422, "schemaVersion"),
        ('"offchainreporting"', '"cron"', 422, "type"),
        ('"offchainreporting"', '"offchainreporting2"', 501, "Offchain Reporting 2"),
        ("type=bridge", "type=fortune", 422, r"observationSource\.ds1\.type"),
        ("isBootstrapPeer = false", "", 400, "isBootstrapPeer"),
        ("isBootstrapPeer = false", "isBootstrapPeer = true", 400, "unrecognised key for bootstrap peer"),
        (
            "0xb2120143da57569d36558B36A532E3a96F5e43b3",
            "0xb2120143da57569d36558b36a532e3a96f5e43b3",
            400,
            "contractAddr",
        ),
        ("0x6D8B527896615e2D73cBEBD87B6Ba1e055761C4C", "0x6D8B", 400, "transmitterAddress"),
        ('evmChainID = "5611"', "", 400, "evmChainID"),
        ('evmChainID = "5611"', 'evmChainID = "1"', 400, "evmChainID"),
        ('keyBundleID = "8a7da57bc2c693142e0e50650b3b944043519d49797545f7dcc0b2e96fba8d1e"', "", 400, "keyBundleID"),
        ("6b9f6b1e-7a59-5d2a-9a35-0c1d2e3f4a5b", "not-a-uuid", 422, "externalJobID"),
        ('"10s"', '"30s"', 400, "observationTimeout"),
        ('"10s"', '"1s"', 400, r"ds1\.timeout"),
        ('"10s"', "10", 422, "observationTimeout"),
        ('"10s"', '"10s"\nmaxTaskDuration = "11s"', 400, "maxTaskDuration"),
        ('"10s"', '"10s"\nobservationGracePeriod = "3s"', 400, "observationGracePeriod"),
        ('"10s"', '"10s"\ncontractConfigConfirmations = 101', 400, "contractConfigConfirmations"),
        ('"10s"', '"10s"\nblockchainTimeout = "21s"', 400, "blockchainTimeout"),
        ('"10s"', '"10s"\ndatabaseTimeout = "11s"', 400, "databaseTimeout"),
        ('"10s"', '"10s"\ncontractConfigTrackerPollInterval = "14s"', 400, "contractConfigTrackerPollInterval"),
        (
            '"10s"',
            '"10s"\ncontractConfigTrackerSubscribeInterval = "59s"',
            400,
            "contractConfigTrackerSubscribeInterval",
        ),
        ('"10s"', '"10s"\ncontractTransmitterTransmitTimeout = "61s"', 400, "contractTransmitterTransmitTimeout"),
        ('"10s"', '"10s"\ngasLimit = -1', 422, "gasLimit"),
        ('"10s"', '"10s"\ngasLimit = 4294967296', 422, "gasLimit"),
        ("ds1 -> ds1_parse;", "ds1 -> ds1_parse -> ds1;", 422, "cycle"),
        ("ds1 -> ds1_parse;", "ds1 -> nowhere;", 422, r"observationSource\.nowhere"),
        ('name="agg-btc-usd"', 'name="agg-btc-usd" async="true"', 422, r"observationSource\.ds1\.async"),
        ('name="agg-btc-usd"', 'name="agg-btc-usd" retries="-1"', 422, r"observationSource\.ds1\.retries"),
        ('timeout="5s"', 'timeout="5"', 422, r"observationSource\.ds1\.timeout"),
        (
            'type=jsonparse path="data,result"',
            "type=divide divisor=$(gone)",
            422,
            "allowed: DOT",
        ),
        ("@127.0.0.1:9901", "", 400, r"p2pv2Bootstrappers\[0\]"),
        ('name = "BTC / USD"', "name = 5", 422, "name"),
        ('name = "BTC / USD"', 'name = "<{}>"', 422, "<{}>"),
    ],
)
def test_refused_specifications(config: Config, old: str, new: str, status: int, field: str) -> None:
    """A rule that is broken is named with its field, under the status that the real node answers."""
    assert old in ORACLE
    with pytest.raises(MeshError, match=field) as error:
        parse(ORACLE.replace(old, new, 1), config)
    assert status == error.value.http_status


def test_ocr_can_be_off(config: Config) -> None:
    """With OCR off no job is taken."""
    off = config.model_copy(update={"ocr": config.ocr.model_copy(update={"enabled": False})})

    with pytest.raises(MeshError, match="disabled") as error:
        parse(ORACLE, off)
    assert 501 == error.value.http_status

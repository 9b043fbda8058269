"""The job templates of existing deployments."""

from pathlib import Path

from meshkit.ethereum.address import checksummed
from services.oracle.jobs.reading.job_reader import read
from services.oracle.jobs.specification import OracleJob
from services.oracle.settings import read_config
from tests import job_templates
from tests.oracle.test_settings import CONFIG, written

_VALUES = {
    "$PRICE_AGGREGATOR_PORT": "3000",
    "$EVM_CHAIN_ID": "5611",
    "$IS_BOOTSTRAP": "false",
    "$P2P_PEER_ID": "12D3KooWEPQwY5VuK7m6GfFujirKAs7kJQ7QCeDLqFJFrRRTXQDR",
    "$P2P_BOOTSTRAP_PEERS": '"12D3KooWEPQwY5VuK7m6GfFujirKAs7kJQ7QCeDLqFJFrRRTXQDR@127.0.0.1:9901"',
    "$OCR_KEY_BUNDLE_ID": "8a7da57bc2c693142e0e50650b3b944043519d49797545f7dcc0b2e96fba8d1e",
    "$TRANSMITTER_ADDRESS": "0x6D8B527896615e2D73cBEBD87B6Ba1e055761C4C",
}


def test_every_shape_is_taken(tmp_path: Path) -> None:
    """All 260 are jobs: their retries are known, nothing of them is without effect, and one task is the last."""
    config = read_config(written(tmp_path, "config.toml", CONFIG))
    http = retried = 0
    for number, feed in enumerate(job_templates.FEEDS):
        text = job_templates.of(feed).replace("$JOB_CA", checksummed(f"0x{number:040x}"))
        for name, value in _VALUES.items():
            text = text.replace(name, value)
        job = read(text, config)
        assert isinstance(job, OracleJob)
        assert ((), (), 1) == (job.pipeline.unknown_attributes, job.pipeline.unavailable, len(job.pipeline.terminals))
        http += sum(step.kind == "http" for step in job.pipeline.steps)
        retried += sum(step.common.retries == 3 for step in job.pipeline.steps)
    assert (260, 1310, 536) == (len(job_templates.FEEDS), http, retried)

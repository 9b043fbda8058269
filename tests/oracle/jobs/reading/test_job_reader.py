"""Jobs that a real node was given: read as it read them, or refused with its status and in its words."""

from pathlib import Path

import pytest

from meshkit.errors import MeshError
from services.oracle.jobs.reading.job_reader import read
from services.oracle.settings import Config, read_config
from tests.oracle.rest.recordings import job_rows

_EVM, _OCR = "0x42614cd5F6264e8230d5Bed1D1504Ee547e13039", "ee" * 32
_CONFIG = """
[OCR]
Enabled = true
[P2P.V2]
ListenAddresses = ["127.0.0.1:9901"]
[[EVM]]
ChainID = "1337"
[[EVM.Nodes]]
Name = "primary"
HTTPURL = "http://127.0.0.1:1"
"""
# What is found out behind the reading: by the keys, the bridges, the database or the start.
_LATER = (
    "CreateJobFailed",
    "failed to create services",
    "not all bridges exist",
    "task type validation",
    "expected exactly",
)


@pytest.fixture(name="config", scope="module")
def _config(tmp_path_factory: pytest.TempPathFactory) -> Config:
    """Give the configuration of a node on chain 1337."""
    file = tmp_path_factory.mktemp("node") / "config.toml"
    Path(file).write_text(_CONFIG)
    return read_config(file)


def _refusal(toml: str, config: Config) -> tuple[int, str | None]:
    try:
        read(toml.replace("@EVM@", _EVM).replace("@OCR@", _OCR), config)
    except MeshError as error:
        return error.http_status, str(error)
    return 200, None


def test_the_same_as_the_node(config: Config) -> None:
    """Status and text of every job are the node's, to the letter."""
    wanted = {
        name: (200, None) if str(row["detail"]).startswith(_LATER) else (row["status"], row["detail"])
        for name, row in job_rows().items()
    }
    found = {name: _refusal(row["toml"], config) for name, row in job_rows().items()}

    assert {} == {name: found[name] for name in wanted if wanted[name] != found[name]}

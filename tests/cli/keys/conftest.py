"""A deployment's files, without a mesh."""

import json
from pathlib import Path

import pytest

from chainlink.identities import key_files

SIGNED = Path(__file__).parents[2] / "vectors" / "configuration.signed.json"
KEYSTORE_PASSWORD = "a-keystore-password-of-30-char"


@pytest.fixture(name="config")
def _config(tmp_path: Path) -> Path:
    """Give the configuration of five nodes whose keys are made."""
    document = json.loads(SIGNED.read_text())
    secrets = tmp_path / "secrets"
    document["solution"] |= {
        "spSecretsDir": str(secrets),
        "chainlinkKeystorePassword": KEYSTORE_PASSWORD,
        "mesh": {"keystore": {"scryptN": 2}, "feeds": ["BTC / USD"], "contracts": {"deploy": True}},
    }
    path = tmp_path / "configuration.json"
    path.write_text(json.dumps(document))
    for index in range(1, 6):
        key_files.ensure(secrets / "cl-secrets" / str(index), KEYSTORE_PASSWORD, 2, with_ocr=index > 1)
    return path


@pytest.fixture(name="nodes")
def _nodes(config: Path) -> Path:
    """Give the directory of the nodes' keys."""
    return config.with_name("secrets") / "cl-secrets"


@pytest.fixture(name="password_file")
def _password_file(tmp_path: Path) -> Path:
    """Give a file with the password of exported keys."""
    path = tmp_path / "password"
    path.write_text("the-password-of-an-export\n")
    return path

"""The service's view of the configuration."""

import json
from pathlib import Path
from typing import Any

import pytest

from meshkit.configuration.solution import Configuration
from meshkit.errors import InvalidInput
from services.dbinit.config import from_configuration, from_environment

VECTOR = json.loads((Path(__file__).parents[1] / "vectors/configuration.signed.json").read_text())


def configuration(**solution: Any) -> Configuration:
    """Return the vector's configuration with some keys of `solution` replaced."""
    return Configuration.model_validate({"solution": VECTOR["solution"] | solution})


def test_settings_of_a_deployment(run_dir: Path) -> None:
    """The deployment's keys reach the settings, and the cluster lies below the data directory."""
    settings = from_configuration(
        configuration(
            pgPort=5544, pgUser="chainlink", totalNodes=7, nodesList="1 2 3 4 5 6 7", mesh={"dataDir": "/sp"}
        ),
        run_dir,
    )

    assert (5544, "chainlink", 7) == (settings.port, settings.group_role, settings.total_nodes)
    assert Path("/sp/postgresql/data") == settings.place.data
    assert run_dir / "dbinit.sock" == settings.socket


def test_passwords_are_derived(run_dir: Path) -> None:
    """A node's password is the first half of HMAC-SHA256 over its name, as openssl computes it."""
    settings = from_configuration(configuration(pgPassword="the-deployment's-secret"), run_dir)

    # printf chainlink_node_2 | openssl dgst -sha256 -hmac "the-deployment's-secret"
    assert "8f85ec66d49c4e2fbb033844dd7e1969" == settings.password(2)
    assert 5 == len({settings.password(node) for node in range(1, 6)})


def test_secret_is_not_shown(run_dir: Path) -> None:
    """The settings' text does not contain the secret."""
    settings = from_configuration(configuration(pgPassword="the-deployment's-secret"), run_dir)

    assert "secret" not in repr(settings).replace("superuser-password", "")


@pytest.mark.parametrize("name", ["feedmesh", "public", "none", "pg_monitor", "chainlink_node_3", "x" * 64, "a\0b"])
def test_names_that_cannot_be_the_group(name: str, run_dir: Path) -> None:
    """A pgUser that PostgreSQL or we have another use for is refused by the name of its key."""
    with pytest.raises(InvalidInput, match=r"solution\.pgUser"):
        from_configuration(configuration(pgUser=name), run_dir)


def test_missing_variable() -> None:
    """Without FEEDMESH_CONFIG the error names the variable."""
    with pytest.raises(InvalidInput, match="FEEDMESH_CONFIG"):
        from_environment({})

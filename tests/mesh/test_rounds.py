"""A run that ends by itself."""

import json

import pytest

from tests.mesh.running import running

pytestmark = [pytest.mark.long(35), pytest.mark.timeout(240)]


def test_run_with_rounds_reports_and_leaves_nothing() -> None:
    """A run with rounds ends with exit code 0, a complete report, answers near the reference and no process left."""
    with running("--rounds", "3", "--json", "--feeds", "BTC / USD,EUR / USD") as mesh:
        assert mesh.process.wait(200) == 0, mesh.text()[-4000:]
        left_over = mesh.left_over()
        report = json.loads(mesh.text().splitlines()[-1])

    assert left_over == []
    assert report["ok"] is True
    assert [feed["name"] for feed in report["feeds"]] == ["BTC / USD", "EUR / USD"]
    for feed in report["feeds"]:
        assert feed["rounds"] >= 3
        assert feed["deviation_bps"] <= 50
        assert len(feed["observers"]) >= 3
        assert feed["address"].startswith("0x")
    assert {"healthy", "completed"} == {service["state"] for service in report["services"]}

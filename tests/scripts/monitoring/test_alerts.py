"""Each alert fires under its fault, clears after it, and is silent while all is calm: played by promtool."""

import re
import subprocess
from pathlib import Path
from typing import Any

import yaml

from scripts.metrics_page import all_metrics
from scripts.monitoring import alert_files
from scripts.monitoring.alert import Alert
from scripts.monitoring.alerts import ALERTS
from scripts.monitoring.calm_metrics import CALM
from scripts.monitoring.timeline import END_S, FAULT_FROM_S, FAULT_UNTIL_S, STEP_S, values
from tests.monitoring_programs import program

FIRING = 'count by (alertname) (ALERTS{alertstate="firing"}) > bool 0'


def played(alert: Alert | None, checks: dict[int, set[str]]) -> dict[str, Any]:
    """Return a test of promtool: what is firing at each time, while an alert's fault comes and goes."""
    fault = {} if alert is None else alert.fault
    return {
        "name": "calm" if alert is None else alert.name,
        "interval": f"{STEP_S}s",
        "input_series": [
            {"series": series, "values": values(calm, fault.get(series))} for series, calm in CALM.items()
        ],
        "promql_expr_test": [
            {
                "expr": FIRING,
                "eval_time": f"{at_s}s",
                "exp_samples": [{"labels": f'{{alertname="{name}"}}', "value": 1} for name in sorted(firing)],
            }
            for at_s, firing in checks.items()
        ],
    }


def test_each_fault_sets_off_its_alert_and_no_other(tmp_path: Path) -> None:
    """Before the fault nothing fires, at its end its alert does, twenty minutes later nothing; nor in a calm run."""
    (tmp_path / "rules.yml").write_text(alert_files.rule_file())
    tests = [played(None, {at_s: set() for at_s in range(0, END_S, 5 * 60)})]
    for alert in ALERTS:
        during = {alert.name, *alert.also}
        tests.append(played(alert, {FAULT_FROM_S - 60: set(), FAULT_UNTIL_S - 60: during, END_S - 60: set()}))
    whole = {"rule_files": ["rules.yml"], "evaluation_interval": f"{STEP_S}s", "tests": tests}
    (tmp_path / "tests.yml").write_text(yaml.safe_dump(whole, sort_keys=False, width=10_000))
    ran = subprocess.run(
        [program("promtool"), "test", "rules", "tests.yml"], cwd=tmp_path, capture_output=True, text=True
    )

    assert (0, "") == (ran.returncode, ran.stderr if ran.returncode else ""), ran.stdout + ran.stderr


def test_promtool_takes_the_rules(tmp_path: Path) -> None:
    """The file that is delivered is valid, with as many rules as the table has."""
    path = Path("deploy/alerts/feedmesh.yml").resolve()
    ran = subprocess.run([program("promtool"), "check", "rules", path], cwd=tmp_path, capture_output=True, text=True)

    assert 0 == ran.returncode, ran.stderr
    assert f"{len(ALERTS)} rules found" in ran.stdout


def test_the_delivered_files_are_those_of_the_table() -> None:
    """Rules and runbooks are generated, each alert has a runbook that its rule links to."""
    assert alert_files.rule_file() == Path("deploy/alerts/feedmesh.yml").read_text()
    page = Path("docs/operations.md").read_text()
    assert page.endswith(alert_files.runbooks())
    anchors = {heading.lower() for heading in re.findall("^## (.+)$", page, re.MULTILINE)}
    for rule in alert_files.rules()["groups"][0]["rules"]:
        file, _, anchor = rule["annotations"]["runbook_url"].partition("#")
        assert ("docs/operations.md", True) == (file, anchor in anchors)


def test_alerts_ask_for_metrics_that_there_are() -> None:
    """Every metric of an expression, and of a played series, is in the tables of the processes."""
    known = all_metrics()
    exprs = " ".join(re.sub('"[^"]*"', "", alert.expr) for alert in ALERTS)
    names = set(re.findall(r"\b((?:feedmesh|chainlink|source|own)_[a-z_0-9]+)", exprs))
    names |= {series.partition("{")[0] for series in CALM}

    assert len(names) > 20
    assert set() == names - known


def test_every_fault_is_one_of_the_calm_series() -> None:
    """Else it would be played from nothing, and the calm run would not have it."""
    for alert in ALERTS:
        assert set() == alert.fault.keys() - CALM.keys()
    assert len(ALERTS) == len({alert.name for alert in ALERTS})

"""What stands beside the file."""

import json
from pathlib import Path
from typing import Any

import pytest

from meshkit.configuration.faults.problem import InvalidConfiguration
from meshkit.configuration.reading.environment import filled, variables
from meshkit.configuration.solution import Solution


def solution(
    given: dict[str, Any], environment: dict[str, str] | None = None, file: Path = Path("/nonexistent/config.json")
) -> dict[str, Any]:
    """Return `solution` of a document with what it does not say."""
    found, _ = filled({"solution": given}, environment or {}, file)
    result: dict[str, Any] = found["solution"]
    return result


@pytest.mark.parametrize("name", sorted(variables()))
def test_a_variable_stands_in_for_its_key_only(name: str) -> None:
    """It is taken where the file is silent, and not where it speaks, be it null; an empty one says nothing."""
    *above, key = map(str, variables()[name][1:])
    keys: dict[str, Any] = {"metricsPush": {key: None}} if above else {key: None}
    assert keys == solution(keys, {name: "x"})
    assert {} == solution({}, {name: ""})
    found = solution({"metricsPush": {}}, {name: "x"})
    assert "x" == (found["metricsPush"] if above else found)[key]


def test_every_plain_key_has_a_variable() -> None:
    """Sections have none, and the signature has none: it is the file's."""
    named = {place[1] for place in variables().values() if len(place) == 2}
    aliases = {str(field.alias) for field in Solution.model_fields.values()}

    assert {"metricsPush", "priceAggregatorConfig", "mesh", "signature"} == aliases - named
    assert ("solution", "chainlinkRpcHttpUrl") == variables()["CHAINLINK_RPC_HTTP_URL"]


def test_the_process_metrics_had_a_file_of_their_own(tmp_path: Path) -> None:
    """Its object, or the one in it, is the push; a section of the configuration's own comes first as a whole."""
    file = tmp_path / "config.json"
    for content in ({"url": "https://a.example"}, {"metricsPush": {"url": "https://a.example"}}):
        file.write_text(json.dumps(content))
        assert {"enabled": True, "url": "https://a.example"} == solution({}, {}, file)["metricsPush"]
        assert {"metricsPush": {"enabled": False}} == solution({"metricsPush": {"enabled": False}}, {}, file)
    found = solution({}, {"METRICS_PUSH_INTERVAL_MS": "7000"}, file)["metricsPush"]
    assert {"enabled": True, "url": "https://a.example", "intervalMs": "7000"} == found


@pytest.mark.parametrize("content", ["{", "[]", '{"metricsPush": 3}'])
def test_a_file_of_the_process_metrics_that_is_none_is_refused(tmp_path: Path, content: str) -> None:
    """The error names it."""
    file = tmp_path / "config.json"
    file.write_text(content)
    with pytest.raises(InvalidConfiguration, match=str(file)):
        solution({}, {}, file)


def test_the_document_is_not_changed() -> None:
    """What was read, and verified, stays as it is."""
    given: dict[str, Any] = {"solution": {"metricsPush": {}}}
    filled(given, {"METRICS_PUSH_URL": "https://a.example", "MAX_RESTARTS": "1"})
    assert {"solution": {"metricsPush": {}}} == given

"""`feedmesh doctor`: the verdict that everybody asks for."""

import json
from pathlib import Path

import pytest

from cli.explain.doctor import diagnose, doctor, lines
from meshkit.paths import RunDir
from services.metrics.verdict.publisher import PERIOD_S
from services.metrics.verdict.verdict import LinkName, LinkState

NOW_MS = 1_700_000_000_000
LINKS = [
    {"name": "price", "state": "well", "words": ["3 of 3 price sources answer"]},
    {"name": "oracles", "state": "broken", "words": ["2 of 4 oracles are up, a report needs 3: a, b"]},
]


def write(run_dir: Path, **changes: object) -> None:
    """Write a verdict as process-metrics does."""
    path = RunDir(run_dir).verdict
    path.parent.mkdir(exist_ok=True)
    document = {
        "well": False,
        "words": "2 of 4 oracles are up",
        "remarks": ["node-2 is backoff"],
        "links": LINKS,
        "time_ms": NOW_MS,
        "period_s": PERIOD_S,
    }
    path.write_text(json.dumps(document | changes))


def test_each_link_is_a_line_and_the_first_broken_one_the_verdict(tmp_path: Path) -> None:
    """Links come in their order with what was found, then what is borne, then the cause."""
    write(tmp_path)

    shown = lines(diagnose(tmp_path, NOW_MS))

    assert [
        "price    ok       3 of 3 price sources answer",
        "oracles  BROKEN   2 of 4 oracles are up, a report needs 3: a, b",
    ] == shown[:2]
    assert "node-2 is backoff" in shown[2]
    assert "first broken link: 2 of 4 oracles are up" == shown[-1]


def test_an_old_verdict_says_nothing_of_now(tmp_path: Path) -> None:
    """A verdict that nobody renews is bad whatever it says, and its links are not shown."""
    write(tmp_path, well=True)

    found = diagnose(tmp_path, NOW_MS + 3_600_000)

    assert (False, ()) == (found.well, tuple(found.links))
    assert "process-metrics does not judge any more" in found.words


@pytest.mark.parametrize("text", [None, "{", "[]", "{}"])
def test_no_verdict_is_a_bad_one(tmp_path: Path, text: str | None) -> None:
    """Without a verdict that can be read there is one line that says so."""
    path = RunDir(tmp_path).verdict
    path.parent.mkdir()
    if text is not None:
        path.write_text(text)

    found = diagnose(tmp_path, NOW_MS)

    assert not found.well
    assert found.words.startswith("no verdict")


@pytest.mark.parametrize(("well", "code"), [(True, 0), (False, 1)])
def test_the_exit_code_is_the_verdict(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, well: bool, code: int
) -> None:
    """Programs get the verdict as JSON and as the exit code."""
    write(tmp_path, well=well)
    monkeypatch.setattr("time.time_ns", lambda: NOW_MS * 1_000_000)

    assert code == doctor(tmp_path, as_json=True)
    assert (well, LINKS) == ((said := json.loads(capsys.readouterr().out))["ok"], said["links"])


def test_every_link_and_state_is_known() -> None:
    """The names that are written are those that are read, so that none is shown as it is by accident."""
    assert {"well", "broken", "unknown"} == {state.value for state in LinkState}
    assert ["clock", "price", "oracles", "round", "money", "rpc", "age"] == [name.value for name in LinkName]

"""Templates that are all gone at a restart of the operator."""

from dataclasses import replace
from pathlib import Path

import pytest

from services.operator.config import OperatorConfig
from services.operator.nodes.vanished_templates import checked


@pytest.fixture(name="templated")
def _templated(config: OperatorConfig) -> OperatorConfig:
    """Give a configuration of two templates."""
    return replace(config, templates_directory="/templates", templates=2)


def test_templates_that_are_gone_are_a_fault(templated: OperatorConfig) -> None:
    """Who had templates before and has none deploys nothing, and says how many there were and what is allowed."""
    assert templated is checked(templated)
    found = checked(replace(templated, templates=0))

    (fault,) = found.feed_faults
    assert "found no template in /templates, where there were 2, allowed: at least one" in fault
    assert not found.deploy_contracts


@pytest.mark.parametrize("other", [{"templates_directory": "/others"}, {"templates_directory": None}, {"templates": 1}])
def test_what_is_no_loss(other: dict[str, str | int | None], templated: OperatorConfig) -> None:
    """Another directory, none, or fewer templates than before are what the configuration says."""
    checked(templated)
    changed = replace(templated, **({"templates": 0} | other))  # type: ignore[arg-type]

    assert changed is checked(changed)


@pytest.mark.parametrize("content", [None, "no json", "[]", "{}", '{"directory": "/templates", "templates": "x"}'])
def test_nothing_known_is_no_fault(content: str | None, templated: OperatorConfig) -> None:
    """Without a record of earlier starts, or with a damaged one, a directory without templates is believed."""
    if content is not None:
        path: Path = templated.data.operator / "templates.json"
        path.parent.mkdir(parents=True)
        path.write_text(content)
    without = replace(templated, templates=0)

    assert without is checked(without)


def test_a_disk_that_cannot_be_written_is_said(templated: OperatorConfig, capsys: pytest.CaptureFixture[str]) -> None:
    """The operator goes on, and says what it could not remember."""
    templated.data.path.write_text("a file")

    assert templated is checked(templated)
    assert "templates_not_remembered" in capsys.readouterr().out

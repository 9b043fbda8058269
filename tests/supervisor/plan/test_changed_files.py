"""Files that a configuration names count as parts of it: a change of one is a change that `apply` makes."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from meshkit.configuration.faults.problem import InvalidConfiguration
from services.supervisor.apply_configuration import check_templates
from services.supervisor.errors import PlanRefused
from services.supervisor.plan.consequences import consequences
from services.supervisor.plan.make_plan import make_plan
from services.supervisor.plan.mesh_plan import MeshPlan
from services.supervisor.plan.plan_difference import ChangeKind, Difference, difference
from tests.deployment import deployment
from tests.job_templates import Leg, direct
from tests.supervisor.plan.conftest import HOST

KRAKEN, OKX = Leg("kraken", "ETH"), Leg("okx", "ETH")
ETH = direct("ETH / USD", [KRAKEN])
OWN = direct("OWN / USD", [Leg("kraken", "OWN")])
A, B = "0x" + "1" * 40, "0x" + "2" * 40
OPERATOR = {"operator": ["solution.chainlinkFeedTemplatesDir.ETH / USD"]}


class Place:
    """A configuration whose feeds come from templates, and the plans of it before and after something changes."""

    def __init__(self, directory: Path) -> None:
        self.templates = directory / "templates"
        self.templates.mkdir()
        self.eth = self.templates / "eth-usd.toml"
        self.eth.write_text(ETH)
        (self.templates / "own-usd.toml").write_text(OWN)
        self.addresses = self.templates / "feed-cas.json"
        self.addresses.write_text(json.dumps({"ETH / USD": {"5611": A}}))
        self.path = directory / "configuration.json"
        self.document = deployment(dataDir=str(directory / "data"), runDir="/run/x", runtime="embedded")
        self.document["solution"]["chainlinkFeedTemplatesDir"] = str(self.templates)

    def changed(self, change: Callable[["Place"], Any]) -> tuple[Difference, tuple[str, ...]]:
        """Return what a change makes different, and what follows."""
        self.path.write_text(json.dumps(self.document))
        before = make_plan(self.path, HOST)
        change(self)
        self.path.write_text(json.dumps(self.document))
        after = make_plan(self.path, HOST)
        found = difference(before, after)
        return found, consequences(before, after, found)


@pytest.fixture(name="place")
def _place(tmp_path: Path) -> Place:
    return Place(tmp_path)


@pytest.mark.parametrize(
    "text",
    [
        direct("ETH / USD", [OKX]),
        direct("ETH / USD", [KRAKEN, OKX]),
        ETH.replace("method=GET", "method=GET retries=2"),
        ETH.replace("$OCR_KEY_BUNDLE_ID", "$P2P_PEER_ID"),
    ],
    ids=["another source", "one more source", "an attribute", "another placeholder"],
)
def test_a_changed_template_replaces_its_jobs(text: str, place: Place) -> None:
    """Only the operator starts anew, and the sentences say whose jobs it will replace."""
    assert text != ETH
    found, sentences = place.changed(lambda place: place.eth.write_text(text))

    assert OPERATOR == {change.name: list(change.keys) for change in found.changes}
    assert {ChangeKind.RESTARTED} == {change.kind for change in found.changes}
    assert (
        "operator restarts",
        "ETH / USD: its jobs will be replaced on every node, since its template has changed",
    ) == sentences


@pytest.mark.parametrize(
    "text",
    [f"# mine\n{ETH}", ETH + "\n\n", ETH.replace("externalJobID", "  externalJobID")],
    ids=["a comment", "empty lines", "spaces"],
)
def test_what_makes_the_same_job_is_no_change(text: str, place: Place) -> None:
    """Nobody is restarted for a comment."""
    assert text != ETH
    found, sentences = place.changed(lambda place: place.eth.write_text(text))

    assert (Difference((), ()), ()) == (found, sentences)


def test_templates_come_and_go(place: Place) -> None:
    """A template that is new or gone is a feed that is new or gone, and nothing is said of jobs twice."""

    def change(place: Place) -> None:
        place.eth.unlink()
        (place.templates / "sol-usd.toml").write_text(direct("SOL / USD", [Leg("kraken", "SOL")]))

    found, sentences = place.changed(change)

    assert ["operator"] == [change.name for change in found.changes]
    assert (
        "operator restarts",
        "SOL / USD: a contract will be deployed, unless one was before",
        "ETH / USD: its jobs will be deleted; its contract stays on chain and gets no more answers",
    ) == sentences


def test_templates_that_are_all_gone_are_refused(place: Place) -> None:
    """A disk that is not mounted is no wish to lose feeds; without a directory in the configuration it is one."""

    def plan() -> MeshPlan:
        place.path.write_text(json.dumps(place.document))
        return make_plan(place.path, HOST)

    before = plan()
    for path in place.templates.iterdir():
        path.unlink()
    with pytest.raises(
        PlanRefused, match="found no template where there were 2, allowed: at least one of them, or null"
    ):
        check_templates(before, plan())
    place.templates.rmdir()
    with pytest.raises(PlanRefused):
        check_templates(before, plan())
    place.document["solution"]["chainlinkFeedTemplatesDir"] = None
    check_templates(before, plan())


def test_a_feed_may_change_between_template_and_list(place: Place) -> None:
    """One that `mesh.feeds` names is priced without its template, by jobs of another pipeline."""
    found, sentences = place.changed(lambda place: place.document["solution"]["mesh"]["feeds"].append("ETH / USD"))

    assert "ETH / USD: its jobs will be replaced by those of our own pipeline, without its template" in sentences
    assert "operator" in {change.name for change in found.changes}


def test_a_changed_file_of_addresses_is_a_change(place: Place) -> None:
    """The operator starts anew for an address, and for none of a feed that is not served."""
    other = json.dumps({"ETH / USD": {"5611": B}, "XYZ / USD": {"5611": A}})
    found, sentences = place.changed(lambda place: place.addresses.write_text(other))

    assert {"operator": ["solution.mesh.contracts.addressesFile.ETH / USD"]} == {
        change.name: list(change.keys) for change in found.changes
    }
    assert ("operator restarts", f"ETH / USD: its contract will be {B}") == sentences


def test_a_changed_code_file_is_a_change(place: Place, tmp_path: Path) -> None:
    """What is in a file that the configuration names counts, not only where it is."""
    code = tmp_path / "code.hex"
    code.write_text("0x6001")
    place.document["solution"]["mesh"]["contracts"]["ocr2CodeFile"] = str(code)
    found, _ = place.changed(lambda _: code.write_text("0x6002"))

    assert ("solution.mesh.contracts.ocr2CodeFile",) == found.keys
    assert ["operator"] == [change.name for change in found.changes]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"\xff\xfe", "what cannot be read (UnicodeDecodeError), allowed: a text"),
        (ETH[: len(ETH) // 2].encode(), "no TOML"),
        (b"", "0 bytes, allowed: 1 to 1000000 bytes"),
        (ETH.replace("[type=median]", "[type=median").encode(), "no pipeline"),
    ],
    ids=["no text", "half written", "empty", "no pipeline"],
)
def test_a_template_that_became_unreadable_is_refused(content: bytes, told: str, place: Place) -> None:
    """No plan is made of it, so nothing is done; the error names the file, what was found and what is allowed."""
    with pytest.raises(InvalidConfiguration) as refusal:
        place.changed(lambda place: place.eth.write_bytes(content))

    assert "solution.chainlinkFeedTemplatesDir.eth-usd.toml: found " in str(refusal.value)
    assert told in str(refusal.value)

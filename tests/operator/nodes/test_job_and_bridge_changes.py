"""What a node needs."""

from copy import deepcopy
from typing import Any

import pytest

from chainlink.jobs import JobSpec
from services.operator.nodes import feed_jobs
from services.operator.nodes.job_and_bridge_changes import (
    CreateJob,
    DeleteJob,
    ImportBundle,
    NodeState,
    SetBridge,
    WantedJobs,
    answered_otherwise,
    decide_node,
)
from services.operator.nodes.rest_client import Bridge
from tests.operator.fake_node import job_attributes
from tests.operator.made import made_oracles

_BRIDGE = "http://127.0.0.1:3000/quotes/batch"
_NODE = "node-0"


def _spec(feed: str, contract: str) -> JobSpec:
    return feed_jobs.oracle_job(feed, 8, 1337, contract, made_oracles(4)[0].node, ("peer@127.0.0.1:9901",), 1000)


_BTC, _ETH = _spec("BTC / USD", "0x" + "1" * 40), _spec("ETH / USD", "0x" + "2" * 40)
_BUNDLE = _BTC.key_bundle_id or ""
_FIELDS = (
    "name",
    "type",
    "externalJobID",
    "offChainReportingOracleSpec",
    "pipelineSpec",
    "contractAddress",
    "evmChainID",
    "p2pv2Bootstrappers",
    "observationTimeout",
    "gasLimit",
)
# Of all configured feeds: the contract of the last is not known yet.
_NAMES = ("BTC / USD", "ETH / USD", "EUR / USD")


def _job(number: int, spec: JobSpec, **changes: Any) -> dict[str, Any]:
    return {"id": str(number), "attributes": {**job_attributes(spec.toml()), **changes}}


def _state(*found: dict[str, Any]) -> NodeState:
    return NodeState(frozenset({_BUNDLE, "an automatic one"}), Bridge(_BRIDGE), found)


def _decide(state: NodeState, *, all_feeds: bool = True) -> list[object]:
    return list(decide_node(_NODE, _BUNDLE, _BRIDGE, WantedJobs([_BTC, _ETH], _NAMES, all_feeds=all_feeds), state))


def test_a_bare_node_gets_everything_in_order() -> None:
    """Bundle and bridge come before the jobs that need them."""
    changes = _decide(NodeState(frozenset(), None, ()))

    assert [ImportBundle(_BUNDLE), SetBridge(_BRIDGE, exists=False), CreateJob(_BTC), CreateJob(_ETH)] == changes


def test_a_node_as_wanted_needs_nothing() -> None:
    """A second look at a node that has everything changes nothing."""
    assert [] == _decide(_state(_job(1, _BTC), _job(2, _ETH)))


def test_a_changed_job_is_replaced() -> None:
    """A job that differs is deleted and created, the others stay."""
    changes = _decide(_state(_job(7, _BTC, name="old name"), _job(8, _ETH)))

    assert [DeleteJob("7", "old name", "it differs in name"), CreateJob(_BTC)] == changes


def test_a_lost_chains_jobs_make_room() -> None:
    """After a deployment anew, the old contract's job goes, since a node takes each name only once."""
    old = _spec("BTC / USD", "0x" + "3" * 40)
    changes = _decide(_state(_job(1, old), _job(2, _ETH)))

    assert [DeleteJob("1", "BTC / USD", "it has the name of another job"), CreateJob(_BTC)] == changes


def test_a_foreign_job_for_the_contract_makes_room() -> None:
    """A job made by hand for a feed's contract is replaced by ours, since a node takes each contract only once."""
    changes = _decide(
        _state(_job(1, _BTC, externalJobID="6b9f6b1e-7a59-4d2a-9a35-0c1d2e3f4a5b", name="mine"), _job(2, _ETH))
    )

    assert [DeleteJob("1", "mine", "it has the contract of another job"), CreateJob(_BTC)] == changes


@pytest.mark.parametrize(("all_feeds", "deleted"), [(True, 1), (False, 0)])
def test_a_removed_feeds_job_goes_once_all_feeds_are_known(all_feeds: bool, deleted: int) -> None:
    """A job of ours for no configured feed is deleted, but not while a feed's contract is unknown."""
    removed = _spec("EUR / USD", "0x" + "4" * 40)
    changes = _decide(_state(_job(1, _BTC), _job(2, _ETH), _job(3, removed)), all_feeds=all_feeds)

    assert [DeleteJob("3", "EUR / USD", "its feed is not configured")] * deleted == changes


@pytest.mark.parametrize(("names", "deleted"), [(_NAMES, 1), (None, 0)])
def test_a_job_goes_by_its_name_where_all_names_are_known(names: tuple[str, ...] | None, deleted: int) -> None:
    """While a contract is unknown, a job that no configured feed can have goes; with names unknown too, none does."""
    removed = _spec("XRP / USD", "0x" + "4" * 40)
    found = _state(_job(1, _BTC), _job(2, _ETH), _job(3, removed))
    changes = decide_node(_NODE, _BUNDLE, _BRIDGE, WantedJobs([_BTC, _ETH], names), found)

    assert (DeleteJob("3", "XRP / USD", "its feed is not configured"),) * deleted == changes


def test_other_peoples_jobs_stay() -> None:
    """Jobs of other types, and OCR jobs that are not ours and not in the way, are not touched."""
    cron = {
        "id": "9",
        "attributes": {"name": "cron", "type": "cron", "externalJobID": "x", "offChainReportingOracleSpec": None},
    }
    theirs = _job(10, _spec("X / Y", "0x" + "5" * 40), externalJobID="6b9f6b1e-7a59-4d2a-9a35-0c1d2e3f4a5b")

    assert [] == _decide(_state(_job(1, _BTC), _job(2, _ETH), cron, theirs))


def test_a_moved_aggregator_changes_the_bridge() -> None:
    """A bridge with another URL is changed, not created."""
    state = NodeState(frozenset({_BUNDLE}), Bridge("http://127.0.0.1:1/"), (_job(1, _BTC), _job(2, _ETH)))

    assert [SetBridge(_BRIDGE, exists=True)] == _decide(state)


def test_a_bootstrap_node_needs_neither_bundle_nor_bridge() -> None:
    """A bootstrap node gets its jobs and nothing else."""
    spec = feed_jobs.bootstrap_job("BTC / USD", 1337, "0x" + "1" * 40, made_oracles(4)[0].node)
    changes = decide_node(_NODE, None, _BRIDGE, WantedJobs([spec], all_feeds=True), NodeState(frozenset(), None, ()))

    assert (CreateJob(spec),) == changes


def test_changes_read_as_words() -> None:
    """Every change says in words what it is, and none shows a key."""
    changes = _decide(NodeState(frozenset(), Bridge("http://old"), (_job(7, _BTC, name="old"),)))

    assert [
        f"OCR key bundle {_BUNDLE[:8]} imported",
        "bridge feedmesh-quotes changed",
        "job 'old' deleted: it differs in name",
        "job 'BTC / USD' created",
        "job 'ETH / USD' created",
    ] == [str(change) for change in changes]


@pytest.mark.parametrize("field", _FIELDS)
@pytest.mark.parametrize(
    "value", [None, True, 5, "", "x", [], ["x"], [["x"]], {}, {"contractAddress": 5, "evmChainID": []}]
)
def test_whatever_a_node_answers_its_jobs_are_decided(field: str, value: object) -> None:
    """An attribute of any form is that of another job: those that are wanted are made, and nothing is raised."""
    answers: dict[str, Any] = {**job_attributes(_BTC.toml()), field: value}
    inner = deepcopy(job_attributes(_BTC.toml()))
    inner["offChainReportingOracleSpec"][field] = value
    for attributes in ({field: value}, answers, inner):
        found = [{"id": "1", "attributes": attributes}]
        made = {change.spec for change in _decide(_state(*found)) if isinstance(change, CreateJob)}
        assert made in ({_BTC, _ETH}, {_ETH})
        assert {_BTC.external_job_id} >= set(answered_otherwise([_BTC], found))

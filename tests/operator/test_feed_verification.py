"""Which feed a node's difference is of."""

from services.operator.feed_verification import of_node
from services.operator.nodes import feed_jobs
from services.operator.nodes.identity import NodeIdentity
from services.operator.nodes.job_and_bridge_changes import CreateJob, DeleteJob, ImportBundle

_CONTRACT = "0x2a7e395BC8f1A495a0d4C00B119E3d154BB9f615"


def _missing(feed: str) -> CreateJob:
    node = NodeIdentity(1, "chainlink-node-1", "12D3KooW", _CONTRACT, None)
    return CreateJob(feed_jobs.bootstrap_job(feed, 1337, _CONTRACT, node))


def test_differences_are_those_of_their_feed() -> None:
    """A job that is missing or differs is its feed's, once; bundles and strangers' jobs are nobody's."""
    changes = (
        ImportBundle("ab" * 16),
        DeleteJob("1", "bootstrap ETH / USD", "it differs in evmChainID"),
        DeleteJob("2", "GONE / USD", "its feed is not configured"),
        _missing("ETH / USD"),
        _missing("BTC / USD"),
    )

    by_feed, others = of_node("n", changes, ["BTC / USD", "ETH / USD"])

    assert {
        "ETH / USD": ["n: job 'bootstrap ETH / USD': it differs in evmChainID"],
        "BTC / USD": ["n: no job 'bootstrap BTC / USD'"],
    } == by_feed
    assert (
        "n: otherwise than wanted: OCR key bundle abababab imported",
        "n: job 'GONE / USD': its feed is not configured",
    ) == others

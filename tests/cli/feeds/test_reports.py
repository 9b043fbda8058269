"""What the verbs of feeds that ask the operator say."""

from cli.feeds import changing, one_feed, verifying
from feedmesh.operator.v1 import operator_service_pb2 as pb

A = "0x1111111111111111111111111111111111111111"


def test_what_differs_is_a_line_each() -> None:
    """Differences have their feed before them; the last line counts."""
    feeds = [
        pb.VerifiedFeed(name="BTC / USD", address=A, differences=["contract: f is 1, wanted 2", "node-2: no job"]),
        pb.VerifiedFeed(name="ETH / USD", address=A),
    ]

    assert [
        "BTC / USD: contract: f is 1, wanted 2",
        "BTC / USD: node-2: no job",
        "chainlink-node-3: not ready",
        "1 of 2 feeds are as configured",
    ] == verifying.lines(pb.VerifyFeedsResponse(feeds=feeds, problems=["chainlink-node-3: not ready"]))


def test_what_would_be_sent_is_shown() -> None:
    """Each transaction has its purpose, sender, receiver and size; nothing to do is said too."""
    planned = [
        pb.PlannedTransaction(purpose="deployment of BTC / USD", data="0x6080604052"),
        pb.PlannedTransaction(purpose="setConfig of ETH / USD", to=A, data="0x585aa7de00", by_admin=True),
    ]
    found = pb.ChangeFeedsResponse(planned=planned, errors=["EUR / USD: it belongs to somebody else"])

    assert [
        "would be sent: deployment of BTC / USD, by the operator to a new contract, 5 bytes (0x60806040…)",
        f"would be sent: setConfig of ETH / USD, by the admin to {A}, 5 bytes (0x585aa7de…)",
        "error: EUR / USD: it belongs to somebody else",
    ] == changing.lines(found, dry_run=True)
    assert ["nothing would be sent: every contract is as configured"] == changing.lines(
        pb.ChangeFeedsResponse(), dry_run=True
    )
    assert ["contract of BTC / USD deployed"] == changing.lines(
        pb.ChangeFeedsResponse(changes=["contract of BTC / USD deployed"]), dry_run=False
    )


def test_one_feed_has_its_jobs_and_prices() -> None:
    """A feed's rows tell what prices each of its pairs, and what each node says of its job."""
    feed = pb.Feed(name="LINK / MATIC", address=A, decimals=18, phase=pb.FEED_PHASE_CONFIGURED)
    nodes = [
        pb.NodeJobs(node="chainlink-node-2", jobs=[pb.NodeJob(id="7", contract_address=A.upper(), errors=["late"])]),
        pb.NodeJobs(node="chainlink-node-3", problem="does not answer"),
        pb.NodeJobs(node="chainlink-node-4"),
    ]

    rows = one_feed.rows(feed, nodes, 0)

    assert {"chainlink-node-2: 7; late", "chainlink-node-3: does not answer", "chainlink-node-4: none"} == {
        value for name, value in rows if name == "job"
    }
    assert ["LINK/USD", "POL/USD"] == [value.partition(":")[0] for name, value in rows if name == "priced by"]
    assert ("answer", "none yet") in rows

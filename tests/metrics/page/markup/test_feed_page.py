"""A feed's own page."""

import re

from feedmesh.oracle.v1 import oracle_service_pb2 as pb
from meshkit.explain.round_story import RoundStory, put_together
from meshkit.explain.sentences import explain
from services.metrics.page.markup.feed_page import feed_page
from tests.meshkit.explain.test_sentences import moment, record
from tests.metrics.page.meshes import EVIL

FEED = "BTC / USD"
DETAIL = "<img src=x onerror=alert(1)>"


def story() -> RoundStory:
    """Return a round that one oracle saw to its end, and another failed with words that look like markup."""
    seen = {"observers": [0, 1], "observations": ["1", "2"], "value": "200000000"}
    included = pb.TransactionSight(hash="0xab", block_number=7, contract_round=12)
    records = {
        "chainlink-node-2": record(
            0,
            moment(pb.ROUND_STAGE_OBSERVED, 20, value="200000000"),
            moment(pb.ROUND_STAGE_FINALIZED, 120, **seen),
            moment(pb.ROUND_STAGE_TRANSMITTED, 130),
            moment(pb.ROUND_STAGE_HANDED_OVER, 140),
            moment(pb.ROUND_STAGE_INCLUDED, 900, transaction=included),
        ),
        "chainlink-node-3": record(1, moment(pb.ROUND_STAGE_UNOBSERVED, 30, detail=DETAIL)),
    }
    return put_together(records, decimals=8)


def test_it_says_what_explain_says() -> None:
    """Title, sentence, each hop, each fault and the answer are those of `feedmesh explain`, with a bar of the hops."""
    told = story()
    said = explain(told)
    text = re.sub("<[^>]+>", "|", feed_page(FEED, "12", told, [told], ((), "")))

    for words in (
        said.title,
        said.words,
        said.answer,
        *(hop.words for hop in said.hops),
        *(f.words for f in said.faults),
    ):
        assert words.replace("<", "&lt;").replace(">", "&gt;").replace("'", "&#x27;") in text
    assert "signed 100 ms, transmitted 20 ms, in a block 760 ms" in text


def test_nothing_of_it_becomes_markup() -> None:
    """A name, a round and a node's words with markup in them are read, not run."""
    text = feed_page(EVIL, '"><script>', story(), [story()], ((), ""))

    assert [] == re.findall(r"<script|<img|<style|\sstyle=", text)
    assert "&lt;img src=x onerror=alert(1)&gt;" in text


def test_rounds_are_linked() -> None:
    """Each of the last rounds leads to its explanation, and without any told the reason stands there as an alert."""
    text = feed_page(FEED, "", "no node keeps it", [story()], ((), ""))

    assert '<a href="/feeds/BTC%20%2F%20USD?round=4%2F7">4/7</a>' in text
    assert '<p id="trouble" role="alert">no node keeps it</p>' in text

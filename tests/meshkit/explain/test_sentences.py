"""The words about a round, for any records whatever."""

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from cli.explain.explaining import as_dict, lines
from feedmesh.oracle.v1 import oracle_service_pb2 as pb
from meshkit.explain.faults import FaultKind
from meshkit.explain.round_story import moments_ms, put_together
from meshkit.explain.sentences import explain
from meshkit.ocr.hops import Moment

NOW_MS = 1_700_000_000_000
DIGEST = "ab" * 16


def moment(stage: "pb.RoundStage.ValueType", at_ms: int = 0, **more: object) -> pb.RoundMoment:
    """Return a moment so many milliseconds after the round began."""
    made = pb.RoundMoment(stage=stage, **more)  # type: ignore[arg-type]
    made.time.FromMilliseconds(NOW_MS + at_ms)
    return made


def record(index: int, *moments: pb.RoundMoment, epoch: int = 4, round_number: int = 7) -> pb.RoundRecord:
    """Return what one of four oracles kept of a round."""
    return pb.RoundRecord(
        name="BTC / USD",
        config_digest=DIGEST,
        epoch=epoch,
        round=round_number,
        oracle_index=index,
        n=4,
        f=1,
        moments=moments,
    )


STAGES = [stage for stage in pb.RoundStage.values() if stage]
DETAILS = st.sampled_from(
    ["", "nothing to report", "the contract could not be read", "the contract is as new", "cannot pay", "a\nb", "\0"]
)
BODIES = st.one_of(
    st.text(max_size=40),
    st.recursive(
        st.one_of(st.none(), st.booleans(), st.integers(-9, 9), st.sampled_from(["100.1", "NaN", "x", "2023-11-14"])),
        lambda inner: st.one_of(
            st.lists(inner, max_size=3),
            st.dictionaries(
                st.sampled_from(
                    [
                        "data",
                        "sources",
                        "leftOut",
                        "absent",
                        "price",
                        "source",
                        "error",
                        "verdict",
                        "receivedAt",
                        "name",
                    ]
                ),
                inner,
                max_size=4,
            ),
        ),
        max_leaves=8,
    ).map(lambda value: orjson.dumps(value).decode()),
)


@st.composite
def moments(draw: st.DrawFn) -> pb.RoundMoment:
    """Return any moment, also such as no node of ours tells."""
    made = moment(
        draw(st.sampled_from(STAGES)),
        draw(st.integers(0, 10**6)),
        detail=draw(DETAILS),
        value=draw(st.sampled_from(["", "1", "-5", str(2**191)])),
        observers=draw(st.lists(st.integers(0, 40), max_size=4)),
        observations=draw(st.lists(st.sampled_from(["1", "-2"]), max_size=4)),
        signers=draw(st.lists(st.integers(0, 40), max_size=3)),
        answers=[pb.BridgeAnswer(task="ask", body=body) for body in draw(st.lists(BODIES, max_size=2))],
    )
    if draw(st.booleans()):
        made.leader = draw(st.integers(0, 40))
    if draw(st.booleans()):
        made.transaction.block_number = draw(st.integers(0, 2**40))
    return made


@settings(max_examples=25)
@given(st.lists(st.lists(moments(), max_size=6), min_size=1, max_size=4), st.lists(moments(), max_size=3))
def test_any_records_have_words(kept: list[list[pb.RoundMoment]], later: list[pb.RoundMoment]) -> None:
    """Whatever nodes keep there is a sentence, six hops, and values that are JSON; nothing is an error."""
    records = {f"chainlink-node-{index + 2}": record(index, *each) for index, each in enumerate(kept)}

    story = put_together(records, decimals=8, later=[record(0, *later, epoch=5, round_number=0)])
    told = explain(story)

    assert told.words
    assert 6 == len(told.hops)
    assert orjson.dumps(as_dict(story, told))
    assert len(lines(story, told)) >= 9


def test_the_sentence_of_a_round_with_several_faults() -> None:
    """Sources, quorum, transmitter with its stage, block and time stand in one sentence, in this order."""
    body = orjson.dumps(
        {
            "data": {
                "pair": "BTC/USD",
                "price": "100",
                "sources": [{"source": "binance", "price": "100", "receivedAt": "2023-11-14T22:13:19.000Z"}],
                "leftOut": [{"source": "okx", "price": "104.1", "verdict": "outlier"}],
                "absent": [{"source": "kraken", "verdict": "stale", "lastPriceAt": "2023-11-14T22:13:06.000Z"}],
            }
        }
    ).decode()
    values = {"observers": [0, 1, 2], "observations": ["1"] * 3, "value": "10000000000", "signers": [0, 2]}
    seen = moment(pb.ROUND_STAGE_OBSERVED, 0, value="10000000000", answers=[pb.BridgeAnswer(task="ask", body=body)])
    final = moment(pb.ROUND_STAGE_FINALIZED, 600, leader=1, **values)
    sent = [
        moment(pb.ROUND_STAGE_SCHEDULED, 610, transmission_stage=2),
        moment(pb.ROUND_STAGE_TRANSMITTED, 2000),
        moment(pb.ROUND_STAGE_INCLUDED, 2500, transaction=pb.TransactionSight(block_number=812, contract_round=99)),
    ]
    records = {"chainlink-node-2": record(0, seen, final), "chainlink-node-4": record(2, seen, final, *sent)}

    told = explain(put_together(records, decimals=8, names={1: "node-3", 3: "node-5"}, unheard={"node-5": "no answer"}))

    assert (
        "2 of 3 sources refused: kraken stale 14 s, okx 4.1 % from the median; node-5 took no part (no answer);"
        " quorum 3 of 4 observed; node-4 transmitted after stage 2; included in block 812, 1.9 s after the report"
    ) == told.words
    assert "100.00000000" == told.answer
    assert told.title.startswith("BTC / USD 4/7, round 99 of the contract, 2023-11-14 22:13:20")
    assert FaultKind.SOURCES_LOST in {fault.kind for fault in told.faults}


def test_the_moments_of_a_price_are_the_first_that_any_node_saw() -> None:
    """A hop is measured from the first node that reached its end, and unknown moments are left out."""
    first, second = moment(pb.ROUND_STAGE_OBSERVED, 30), moment(pb.ROUND_STAGE_OBSERVED, 10)
    included = moment(pb.ROUND_STAGE_INCLUDED, 900, transaction=pb.TransactionSight(block_number=1))

    found = moments_ms(put_together({"a": record(0, first), "b": record(1, second, included)}, decimals=8))

    assert {Moment.OBSERVED: NOW_MS + 10, Moment.INCLUDED: NOW_MS + 900} == found


def test_an_epoch_without_a_round_names_its_leader() -> None:
    """Of an epoch that began and had no round it is said who leads it and that it began none."""
    told = explain(
        put_together(
            {"chainlink-node-2": record(0, moment(pb.ROUND_STAGE_EPOCH, leader=3), round_number=0)},
            decimals=8,
            names={3: "node-5"},
        )
    )

    assert {FaultKind.LEADER_FAULT} == {fault.kind for fault in told.faults}
    assert "the leader node-5 began no round" in told.words

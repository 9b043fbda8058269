"""The bookkeeping of a run."""

from decimal import Decimal

from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given
from hypothesis import strategies as st

from cli.foreground.run_report import FeedRecord, deviation_bps, enough, final_line
from feedmesh.operator.v1 import operator_service_pb2 as operator_pb

PRICES = st.decimals("0.0001", "1000000", places=6)


def a_round(answer: str, transmitter: str, observers: tuple[str, ...]) -> operator_pb.Round:
    """Return an accepted round."""
    return operator_pb.Round(
        feed="BTC / USD", answer=answer, transmitter=transmitter, observers=observers, block_time=Timestamp(seconds=7)
    )


def test_record_gathers_rounds() -> None:
    """Rounds, observers, transmitters and the median duration come together; the last answer counts."""
    record = FeedRecord("BTC / USD", address="0x1", reference="100")
    record.add(a_round("99", "node-2", ("node-2", "node-3")), 1.0, 1000)
    record.add(a_round("101", "node-4", ("node-4",)), 2.0, 3000)

    assert record.as_json() == {
        "name": "BTC / USD",
        "address": "0x1",
        "rounds": 2,
        "answer": "101",
        "reference": "100",
        "deviation_bps": 100.0,
        "observers": ["node-2", "node-3", "node-4"],
        "transmitters": ["node-2", "node-4"],
        "round_ms_p50": 2000,
    }
    assert record.last_block_time_ms == 7000


@given(PRICES)
def test_no_deviation_from_itself(price: Decimal) -> None:
    """A price deviates by nothing from itself."""
    assert Decimal(0) == deviation_bps(str(price), str(price))


@given(PRICES, PRICES)
def test_deviation_is_never_negative(answer: Decimal, reference: Decimal) -> None:
    """A deviation has no sign."""
    deviation = deviation_bps(str(answer), str(reference))

    assert deviation is not None
    assert deviation >= 0


def test_missing_answer_has_no_deviation() -> None:
    """Without an answer or a reference there is no deviation."""
    assert (deviation_bps("", "1"), deviation_bps("1", "")) == (None, None)


def test_enough_needs_every_feed() -> None:
    """One slow feed keeps the run going."""
    assert not enough([FeedRecord("a", rounds=3), FeedRecord("b", rounds=2)], 3)
    assert enough([FeedRecord("a", rounds=3), FeedRecord("b", rounds=4)], 3)


def test_failure_is_in_the_final_line() -> None:
    """A failed run says so and why."""
    line = final_line(error="port 3000 is in use", startup_s=None, elapsed_s=1.234, services=[], feeds=[])

    assert line == {
        "ok": False,
        "error": "port 3000 is in use",
        "startup_seconds": None,
        "seconds": 1.23,
        "services": [],
        "feeds": [],
    }

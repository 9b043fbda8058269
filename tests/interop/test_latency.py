"""The latency of a round, out of what its oracles said."""

from tests.interop.latency import latencies_ms
from tests.interop.participant import Moment

MS = 1_000_000


def test_latency() -> None:
    """It is the time from the first question to the answer that makes the quorum full; half rounds do not count."""
    moments = [
        Moment("observe", 1, 1, 7 * MS),
        Moment("observe", 1, 1, 5 * MS),
        *(Moment("attested", 1, 1, at * MS) for at in (40, 25, 35, 26)),
        Moment("observe", 1, 2, 100 * MS),
        *(Moment("attested", 1, 2, at * MS) for at in (120, 121)),
        *(Moment("attested", 1, 3, at * MS) for at in (220, 221, 222)),
    ]

    assert [30.0] == latencies_ms(moments, 3)

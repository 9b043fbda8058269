"""What is read of a bridge's answer: why each source did not count, and in which words."""

import pytest

from meshkit.explain.faults import FaultKind
from tests.meshkit.explain.faulty_committee import absent, body, healthy, kinds, row


@pytest.mark.parametrize(
    ("given", "kind", "words"),
    [
        (
            absent("kraken", "failed", reason="SOURCE_RATE_LIMITED", message="kraken limits us, retry after 900 ms"),
            FaultKind.SOURCE_RATE_LIMITED,
            "kraken limits us, retry after 900 ms",
        ),
        (
            absent("kraken", "failed", reason="SOURCE_BUSY", message="kraken is busy: 2 wait, retry after 90 ms"),
            FaultKind.SOURCE_RATE_LIMITED,
            "kraken is busy: 2 wait, retry after 90 ms",
        ),
        (
            absent("kraken", "failed", reason="PROVIDER_FAULT", message="kraken: HTTP 500", circuit="open"),
            FaultKind.SOURCE_CUT_OFF,
            "kraken failed: HTTP 500; it failed too often and is not asked now",
        ),
        (
            absent("kraken", "failed", reason="SOURCE_TIMEOUT", message="kraken did not answer within 900 ms"),
            FaultKind.SOURCE_FAILED,
            "kraken did not answer within 900 ms",
        ),
        (absent("kraken", "silent"), FaultKind.SOURCE_SILENT, "kraken silent: neither a price nor an error"),
        (
            absent("kraken", "refused", rule="jump", message="kraken: price of BTC/USD refused: 9 % from the last"),
            FaultKind.SOURCE_REFUSED,
            "kraken refused by the rule jump: price of BTC/USD refused: 9 % from the last",
        ),
    ],
    ids=["limited by itself", "limited by us", "circuit open", "late", "silent", "jump guard"],
)
def test_why_a_source_is_away_has_its_own_words(given: dict[str, object], kind: FaultKind, words: str) -> None:
    """Limits, an open circuit, lateness, silence and the guard of jumps are told apart."""
    faulty = healthy(body(row("binance"), row("okx"), absent=[given]))

    told = faulty.told(*faulty.place())

    assert {kind} == kinds(told)
    assert words in told.words

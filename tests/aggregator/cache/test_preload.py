import json
from collections import Counter
from decimal import Decimal
from pathlib import Path

import pytest

from services.aggregator.cache import preload
from services.aggregator.prices.pair import Pair
from tests.aggregator.bench import SOL, bench
from tests.aggregator.fakes import BTC, ETH, settings


def test_entries_are_read_and_wrong_ones_are_counted_by_kind() -> None:
    """Both spellings of a source are known, duplicates count once, and everything else is skipped with its reason."""
    document = {
        "kraken": ["BTC/USD", "ETH/USD", "BTC/USD", "BTC", 5, None, "a/b/c", "BTC/US D"],
        "exchangeratehost": ["EUR/USD"],
        "nope": ["BTC/USD", "ETH/USD"],
        "binance": "BTC/USDT",
    }
    entries, skipped = preload.parse(document, {"kraken", "exchangerate-host", "binance"})

    assert [("kraken", BTC), ("kraken", ETH), ("exchangerate-host", Pair("EUR", "USD"))] == entries
    assert {"malformed_pair": 5, "unknown_or_disabled_source": 2, "not_a_list_of_pairs": 1} == skipped


@pytest.mark.parametrize("document", [None, [], "kraken", 5])
def test_another_form_is_no_file_of_pairs(document: object) -> None:
    """It gives no pairs and one reason."""
    assert ([], Counter({"not_an_object_of_sources": 1})) == preload.parse(document, {"kraken"})


@pytest.mark.parametrize("content", ["", "{", '{"kraken": ["BTC/USD"', "\x00"])
def test_a_broken_file_does_not_stop_the_start(tmp_path: Path, content: str) -> None:
    """A file that is no JSON, or that is not there, gives no pairs."""
    path = tmp_path / "pairs.json"

    assert [] == preload.load(path, {"kraken"})

    path.write_text(content)

    assert [] == preload.load(path, {"kraken"})


def test_each_kind_is_logged_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A hundred malformed entries are one line that counts them."""
    path = tmp_path / "pairs.json"
    path.write_text(json.dumps({"kraken": ["x"] * 100 + ["BTC/USD"]}))

    assert [("kraken", BTC)] == preload.load(path, {"kraken"})
    assert 1 == capsys.readouterr().out.count("pairs_skipped")


async def test_preloaded_pairs_are_fetched_and_kept_like_requested_ones(tmp_path: Path) -> None:
    """They are there without a request, folded, and removed when nobody asks for them."""
    path = tmp_path / "pairs.json"
    path.write_text('{"kraken": ["btc/usd", "SOL/USD", "x"], "nope": ["A/B"]}')
    config = settings(pairs_file=path, inactive_timeout_ms=30_000, cleanup_interval_ms=1_000)
    async with bench(config) as b:
        await b.run(0.1)

        assert [BTC, SOL] == [state.pair for state in b.engine.status.pairs() if state.quote is not None]
        assert Decimal(103) == (await b.engine.answers.source_quote("kraken", BTC)).price

        await b.run(32)

        assert [] == b.engine.status.pairs()


async def test_preloaded_pairs_are_bounded(tmp_path: Path) -> None:
    """A file that is too long fills the registry and does not stop the start."""
    path = tmp_path / "pairs.json"
    path.write_text('{"kraken": ["A/USD", "B/USD", "C/USD"]}')
    async with bench(settings(pairs_file=path, most_pairs=2)) as b:
        assert 2 == len(b.engine.status.pairs())

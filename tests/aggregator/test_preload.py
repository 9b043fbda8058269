import json
from collections import Counter
from pathlib import Path

import pytest

from services.aggregator import preload
from services.aggregator.pair import Pair
from tests.aggregator.fakes import BTC, ETH


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

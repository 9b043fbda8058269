import pytest

from meshkit.errors import MeshError
from services.aggregator.errors import ProviderFault, SourceRateLimited, SourceTimeout, UnknownPair
from services.aggregator.fetch import retry_delay_s
from tests.aggregator.fakes import BTC


@pytest.mark.parametrize(
    ("error", "count", "expected"),
    [
        (ProviderFault("kraken", "x"), 1, 0.25),
        (ProviderFault("kraken", "x"), 2, 0.5),
        (SourceTimeout("kraken", 5), 5, 4.0),
        (SourceTimeout("kraken", 5), 6, 5.0),
        (SourceTimeout("kraken", 5), 10**9, 5.0),
        (UnknownPair(BTC, "kraken"), 1, 60.0),
        (SourceRateLimited("kraken", 1500), 7, 1.5),
    ],
)
def test_a_failure_decides_when_to_ask_again(error: MeshError, count: int, expected: float) -> None:
    """Faults double up to five seconds, a limit waits as told, an unknown pair a minute."""
    assert expected == retry_delay_s(error, count)

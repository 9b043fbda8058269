"""How often an embedded mesh has rounds."""

from hypothesis import given
from hypothesis import strategies as st

from cli.embedded import timing
from meshkit.configuration.mesh import Ocr


@given(st.integers(min_value=1, max_value=1000))
def test_parameters_are_accepted_and_leave_room(feed_count: int) -> None:
    """The nodes accept the parameters of every number of feeds, and more feeds never have more rounds in all."""
    settings = Ocr.model_validate(timing.ocr(feed_count))

    assert settings.delta_grace_ms * 2 < settings.delta_round_ms
    assert feed_count / settings.delta_round_ms <= 3 / 240


def test_few_feeds_are_fast_and_have_fresh_prices() -> None:
    """A few feeds have a round every two seconds, each with a new price; many feeds share what two cores can do."""
    assert (2000, 2000) == (timing.round_ms(3), timing.price_ttl_ms(3))
    assert (20_800, 10_000) == (timing.round_ms(260), timing.price_ttl_ms(260))

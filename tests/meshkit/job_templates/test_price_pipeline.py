"""What a template's pipeline asks."""

from decimal import Decimal

import pytest

from meshkit.job_templates import price_pipeline, tasks
from meshkit.job_templates.price_pipeline import Asked, Input
from meshkit.job_templates.template import JobTemplate, read
from tests.job_templates import FEEDS, Leg, cross, direct, of


def template(text: str) -> JobTemplate:
    """Read a good template."""
    found = read("x.toml", text)
    assert isinstance(found, JobTemplate)
    return found


def test_prices_are_read() -> None:
    """Each source's question and scale is there; the path's name of a source is the configuration's."""
    text = direct("EUR / USD", [Leg("exchangeratehost", "EUR"), Leg("kraken", "EUR")])

    assert (
        Input(Asked("exchangeratehost", "EUR", "USD", "price"), None, Decimal(10**8)),
        Input(Asked("kraken", "EUR", "USD", "price"), None, Decimal(10**8)),
    ) == template(text).pipeline.inputs


def test_quotients_are_read() -> None:
    """Of a cross feed what is divided by what is known, also when only arrows say what is above."""
    text = cross("LTC / ETH", [(Leg("kraken", "LTC"), Leg("kraken", "ETH"))])
    expected = Input(Asked("kraken", "LTC", "USD", "price"), Asked("kraken", "ETH", "USD", "price"), Decimal(10**18))

    assert (expected,) == template(text).pipeline.inputs
    assert (expected,) == template(text.replace('input="$(price_n0)" ', "")).pipeline.inputs


def test_a_median_may_be_scaled_after_it() -> None:
    """What multiplies the median is as what multiplies each of its values."""
    text = direct("EUR / USD", [Leg("kraken", "EUR")], decimals=2)
    scaled = text.replace(
        "answer [type=median];", 'answer [type=median]; end [type=multiply times="1e6"]; answer -> end;'
    )

    assert (Decimal(10**8), 8) == (template(scaled).pipeline.inputs[0].scale, template(scaled).pipeline.decimals)


def test_every_feed_of_a_deployment_is_understood() -> None:
    """Of all 260 shapes the pairs and decimals are those it was made of, and nothing is odd."""
    for feed in FEEDS:
        found = template(of(feed)).pipeline
        asked = [each for one in found.inputs for each in (one.numerator, one.denominator) if each is not None]
        assert ((), feed["decimals"]) == (found.oddities, found.decimals), feed["name"]
        assert [tuple(pair) for pair in feed["pairs"]] == [(each.source, each.base, each.quote) for each in asked]


@pytest.mark.parametrize(
    ("text", "oddity"),
    [
        ("a [type=http url=<http://h/quote/x/b/q>] a -> p; p [type=jsonparse path=price]", "has no median"),
        ("p [type=jsonparse] p -> m; m [type=median]", "0 tasks before it"),
        ("a [type=bridge] a -> p -> m; p [type=jsonparse] m [type=median]", "no answer of an http task"),
        ("d [type=divide divisor=2] d -> m; m [type=median]", "divides by 2"),
        ("x [type=multiply times=many] x -> m; m [type=median]", "'many', which is no number"),
        ("x [type=multiply times=1 input=<$(x)>] x -> m; m [type=median]", "circle"),
        ("x -> m; m [type=median]", "x is no task"),
    ],
)
def test_what_is_not_understood_is_said(text: str, oddity: str) -> None:
    """A pipeline of another shape is no error of the reader."""
    assert any(oddity in each for each in price_pipeline.read(tasks.read(text)).oddities)

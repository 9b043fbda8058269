"""The text format is what Prometheus parses."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from services.metrics.exposition import Metric, Sample, render

COUNTER = Metric("jobs_count", "counter", "Jobs.", ("name",))
GAUGE = Metric("load", "gauge", "Load \\ of\nthe host.")


def test_text_is_literal() -> None:
    """Help, type and samples of a metric stand together, in order of first appearance, with a final newline."""
    text = render([Sample(COUNTER, ("a",), 1), Sample(GAUGE, (), 0.5), Sample(COUNTER, ("b",), 2)])

    assert text == (
        "# HELP jobs_count Jobs.\n"
        "# TYPE jobs_count counter\n"
        'jobs_count{name="a"} 1\n'
        'jobs_count{name="b"} 2\n'
        "# HELP load Load \\\\ of\\nthe host.\n"
        "# TYPE load gauge\n"
        "load 0.5\n"
    )


def test_label_values_are_escaped() -> None:
    """Backslash, quote and newline of a label value are escaped."""
    assert 'jobs_count{name="a\\\\b\\"c\\nd"} 1' in render([Sample(COUNTER, ('a\\b"c\nd',), 1)])


# The parser strips a few exotic blanks around lines, so surrogates and line separators are left out.
@given(st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Zl", "Zp"]) | st.sampled_from('\\"\n')))
def test_any_label_value_is_read_back(value: str) -> None:
    """What prometheus_client's parser reads is what was written."""
    gauge = Metric("g", "gauge", "G.", ("name",))

    (family,) = text_string_to_metric_families(render([Sample(gauge, (value,), 1)]))

    assert {"name": value} == family.samples[0].labels


@given(st.floats() | st.integers(-(2**53), 2**53))
def test_any_number_is_read_back(value: float) -> None:
    """Every number survives, also infinities and NaN."""
    (family,) = text_string_to_metric_families(render([Sample(GAUGE, (), value)]))
    actual = family.samples[0].value

    assert value == actual or (value != value and actual != actual)


def test_wrong_number_of_labels_is_a_defect() -> None:
    """A sample whose labels do not fit its metric is refused."""
    with pytest.raises(ValueError, match="zip"):
        render([Sample(COUNTER, (), 1)])


def test_nothing_is_an_empty_text() -> None:
    """No samples, no text."""
    assert render([]) == ""

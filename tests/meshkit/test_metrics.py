"""The metrics of a process."""

from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client import Metric as Family
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from meshkit.metrics import Distribution, Metric, Registry

TABLE = (
    Metric("asked_total", "counter", "Requests.", ("job",)),
    Metric("age_seconds", "gauge", "Age.", ("source",)),
    Metric("led_total", "counter", "Rounds.", ("feed",), derived=True),
    Metric("took_seconds", "histogram", "Time.", (), (1.0,)),
)


def test_what_is_known_by_looking_is_looked_at_for_each_rendering() -> None:
    """A measure sets its gauges before the text is made."""
    registry = Registry(TABLE)
    ages = iter((1, 2))
    registry.before_render(lambda: registry.gauge("age_seconds").labels("kraken").set(next(ages)))

    assert b'age_seconds{source="kraken"} 1.0\n' in registry.render()
    assert b'age_seconds{source="kraken"} 2.0\n' in registry.render()


def test_derived_metrics_are_told_at_each_rendering() -> None:
    """Their samples are those of that moment; before anybody tells there are none."""
    registry = Registry(TABLE)
    led = {"BTC / USD": 1}
    assert b"led_total{" not in registry.render()
    registry.derive("led_total", lambda: (((feed,), count) for feed, count in led.items()))

    assert b'led_total{feed="BTC / USD"} 1.0\n' in registry.render()
    led["BTC / USD"] = 2
    assert b'led_total{feed="BTC / USD"} 2.0\n' in registry.render()
    assert b"# TYPE led_total counter\n" in registry.render()


@given(st.lists(st.floats(0, 20), max_size=30))
def test_a_distribution_is_rendered_as_the_librarys_histogram(values: list[float]) -> None:
    """Whatever is observed, the derived family has the samples of a histogram that prometheus_client keeps itself."""
    bounds = (0.1, 0.25, 1.0, 5.0)
    kept = Registry((Metric("took_seconds", "histogram", "Time.", ("job",), bounds),))
    told = Registry((Metric("took_seconds", "histogram", "Time.", ("job",), bounds, derived=True),))
    distribution = Distribution.of(bounds)
    told.derive("took_seconds", lambda: [(("a",), distribution)])
    theirs = kept.histogram("took_seconds").labels("a")
    for value in values:
        theirs.observe(value)
        distribution.observe(value)

    def lines(registry: Registry) -> list[str]:
        return sorted(line for line in registry.render().decode().splitlines() if "took_seconds" in line)

    assert lines(kept) == lines(told)


class _Theirs(Collector):
    """The families of a gauge and a counter, as the library makes them."""

    def __init__(self, samples: dict[tuple[str, str], float]) -> None:
        self._samples = samples

    def collect(self) -> Iterator[Family]:
        """Give both."""
        for family in (
            GaugeMetricFamily("gap", "By \\how\nmuch.", labels=("z", "a")),
            CounterMetricFamily("led_total", "Rounds.", labels=("z", "a")),
        ):
            for labels, value in self._samples.items():
                family.add_metric(labels, value)
            yield family


@given(st.dictionaries(st.tuples(st.text(max_size=5), st.text(max_size=5)), st.floats(), max_size=5))
def test_derived_metrics_are_written_as_the_library_writes_them(samples: dict[tuple[str, str], float]) -> None:
    """Whatever labels and values are, byte for byte; and again, when the texts of labels are known."""
    theirs = CollectorRegistry()
    theirs.register(_Theirs(samples))
    ours = Registry(
        (
            Metric("gap", "gauge", "By \\how\nmuch.", ("z", "a"), derived=True),
            Metric("led_total", "counter", "Rounds.", ("z", "a"), derived=True),
        )
    )
    for name in ("gap", "led_total"):
        ours.derive(name, lambda: samples.items())

    for _ in range(2):
        assert ours.render().endswith(generate_latest(theirs))

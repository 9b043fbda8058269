"""
Metrics as one table a process: declared once, used by name, rendered as Prometheus text.

A metric that is not in the table cannot be used, so the table is also the documentation.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import accumulate
from typing import Literal

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.utils import floatToGoString

# A second series for each counter, with the time it was made, is of no use to anybody here.
disable_created_metrics()  # type: ignore[no-untyped-call]

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Metric:
    """
    One row of a metrics table.

    Attributes:
        name: The name in the text format; a counter's ends in `_total`.
        kind: The Prometheus type.
        help: What it measures, with its unit.
        labels: The label names.
        buckets: The upper bounds of a histogram, in the unit of its name.
        derived: Whether it has no values of its own, but is told them at each rendering: thousands of series would
            be several objects each otherwise.
    """

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    help: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()
    derived: bool = False


RPC_METRICS = (
    Metric("grpc_server_handled_total", "counter", "Finished calls.", ("service", "method", "code")),
    Metric(
        "grpc_server_handling_seconds",
        "histogram",
        "Time from a call's arrival to its end, in seconds.",
        ("service", "method"),
        (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10),
    ),
)


@dataclass(slots=True)
class Distribution:
    """Count values by the bounds of a histogram's buckets; `counts` has one more, for what is above them all."""

    bounds: tuple[float, ...]
    counts: list[int]
    total: float = 0.0

    @classmethod
    def of(cls, bounds: tuple[float, ...]) -> "Distribution":
        """Return one without values."""
        return cls(bounds, [0] * (len(bounds) + 1))

    def observe(self, value: float) -> None:
        """Count a value; a bound belongs to its bucket."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value

    @property
    def counts_in_all(self) -> int:
        """Return how many values were counted."""
        return sum(self.counts)


Sample = tuple[tuple[str, ...], float | Distribution]
"""The values of a metric's labels, and what it has for them."""


class Registry:
    """The metrics of one process."""

    def __init__(self, table: Iterable[Metric] = ()) -> None:
        self._registry = CollectorRegistry(auto_describe=True)
        ProcessCollector(registry=self._registry)
        self._counters: dict[str, Counter] = {}
        self._gauges: dict[str, Gauge] = {}
        self._histograms: dict[str, Histogram] = {}
        self._derived: dict[str, _Derived] = {}
        self._measures: list[Callable[[], None]] = []
        for metric in table:
            self._declare(metric)

    def _declare(self, metric: Metric) -> None:
        if metric.derived:
            self._derived[metric.name] = _Derived(metric)
        elif metric.kind == "counter":
            self._counters[metric.name] = Counter(metric.name, metric.help, metric.labels, registry=self._registry)
        elif metric.kind == "gauge":
            self._gauges[metric.name] = Gauge(metric.name, metric.help, metric.labels, registry=self._registry)
        else:
            self._histograms[metric.name] = Histogram(
                metric.name, metric.help, metric.labels, registry=self._registry, buckets=metric.buckets
            )

    def counter(self, name: str) -> Counter:
        """Return the counter of that name; KeyError if the table has none."""
        return self._counters[name]

    def gauge(self, name: str) -> Gauge:
        """Return the gauge of that name; KeyError if the table has none."""
        return self._gauges[name]

    def histogram(self, name: str) -> Histogram:
        """Return the histogram of that name; KeyError if the table has none."""
        return self._histograms[name]

    def derive(self, name: str, samples: Callable[[], Iterable[Sample]]) -> None:
        """Let a derived metric have these samples, asked for at each rendering; KeyError if the table has none."""
        self._derived[name].samples = samples

    def before_render(self, measure: Callable[[], None]) -> None:
        """Have `measure` called before each rendering, to set what is known only by looking."""
        self._measures.append(measure)

    def render(self) -> bytes:
        """Return all metrics in the Prometheus text format."""
        for measure in self._measures:
            measure()
        return generate_latest(self._registry) + "".join(each.text() for each in self._derived.values()).encode()


class _Derived:
    """
    Write the family of a derived metric when it is asked for, as `generate_latest` would.

    That takes 11 µs a sample, since it makes an object of each and of its labels anew; this takes less than 1 µs, as
    the texts of labels are kept from one time to the next. A node of 260 feeds has more than 16,000 samples.
    """

    def __init__(self, metric: Metric) -> None:
        self.samples: Callable[[], Iterable[Sample]] = tuple
        self._metric = metric
        text = metric.help.replace("\\", "\\\\").replace("\n", "\\n")
        self._head = f"# HELP {metric.name} {text}\n# TYPE {metric.name} {metric.kind}\n"
        self._starts: dict[tuple[str, ...], tuple[str, ...]] = {}
        self._bounds = (*map(floatToGoString, metric.buckets), "+Inf") if metric.kind == "histogram" else ()

    def text(self) -> str:
        """Return it in the Prometheus text format."""
        lines, starts = [self._head], {}
        for labels, value in self.samples():
            start = starts[labels] = self._starts.get(labels) or self._start(labels)
            if isinstance(value, Distribution):
                lines += [f"{begin}{count}.0\n" for begin, count in zip(start, accumulate(value.counts), strict=False)]
                lines += (f"{start[-2]}{value.counts_in_all}.0\n", f"{start[-1]}{_number(value.total)}\n")
            else:
                lines.append(f"{start[0]}{_number(value)}\n")
        # Those of labels that are gone are forgotten.
        self._starts = starts
        return "".join(lines)

    def _start(self, labels: tuple[str, ...]) -> tuple[str, ...]:
        """Return the lines of these labels up to their values: of a histogram its buckets, count and sum."""
        name, given = self._metric.name, dict(zip(self._metric.labels, labels, strict=True))
        if not self._bounds:
            return (f"{name}{_label_text(given)} ",)
        buckets = [f"{name}_bucket{_label_text({**given, 'le': bound})} " for bound in self._bounds]
        return (*buckets, f"{name}_count{_label_text(given)} ", f"{name}_sum{_label_text(given)} ")


def _number(value: float) -> str:
    said: str = floatToGoString(value)  # type: ignore[no-untyped-call]
    return said


def _label_text(labels: Mapping[str, str]) -> str:
    if not labels:
        return ""
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in sorted(labels.items())) + "}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')

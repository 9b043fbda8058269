"""
The Prometheus text format, version 0.0.4.

prometheus_client cannot write a counter whose name does not end in `_total`, and one of our fixed names does not; so
the format is written here. Source: the Prometheus project's exposition format documentation.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, TypeAlias

Kind: TypeAlias = Literal["counter", "gauge"]


@dataclass(frozen=True, slots=True)
class Metric:
    """Declare one metric: its name, type, help text and label names in the order in which they are written."""

    name: str
    kind: Kind
    help: str
    labels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Sample:
    """Hold one value of a metric with its label values, which are in the order of the metric's labels."""

    metric: Metric
    values: tuple[str, ...]
    value: int | float


def render(samples: Iterable[Sample]) -> str:
    """
    Write samples as text, each metric once with its help and type, in order of first appearance.

    Raises ValueError if a sample's labels do not fit its metric.
    """
    families: dict[Metric, list[str]] = {}
    for sample in samples:
        families.setdefault(sample.metric, []).append(_line(sample))
    lines: list[str] = []
    for metric, rows in families.items():
        lines.append(f"# HELP {metric.name} {_escape_help(metric.help)}")
        lines.append(f"# TYPE {metric.name} {metric.kind}")
        lines += rows
    return "".join(f"{line}\n" for line in lines)


def _line(sample: Sample) -> str:
    labels = zip(sample.metric.labels, sample.values, strict=True)
    inner = ",".join(f'{name}="{_escape_label(value)}"' for name, value in labels)
    return f"{sample.metric.name}{'{' + inner + '}' if inner else ''} {_number(sample.value)}"


def _number(value: float) -> str:
    if value != value:  # NaN is the one number that differs from itself
        return "NaN"
    if value in (float("inf"), float("-inf")):
        return "+Inf" if value > 0 else "-Inf"
    return repr(value)


def _escape_help(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n")


def _escape_label(text: str) -> str:
    return _escape_help(text).replace('"', '\\"')

"""What a dashboard is a table of, and the queries that recur."""

from dataclasses import dataclass
from typing import Final

RATE: Final = "$__rate_interval"
_INSTANCE: Final = 'instance=~"$instance"'


@dataclass(frozen=True, slots=True)
class Panel:
    """
    One panel: its title, the unit of its values in Grafana's words, and its queries.

    Attributes:
        queries: Pairs of a PromQL query and the legend of its series.
        stacked: Whether the series add up to something.
    """

    title: str
    unit: str
    queries: tuple[tuple[str, str], ...]
    stacked: bool = False


@dataclass(frozen=True, slots=True)
class Board:
    """
    One dashboard.

    Attributes:
        name: The name of its file, and the end of its uid.
        chosen: The label whose value the reader chooses, and the metric that has all its values; None for none.
    """

    name: str
    title: str
    panels: tuple[Panel, ...]
    chosen: tuple[str, str] | None = None


def at(metric: str, *matchers: str) -> str:
    """Return a selector of the chosen mesh's series."""
    return f"{metric}{{{','.join((_INSTANCE, *matchers))}}}"


def rate(metric: str, *matchers: str) -> str:
    """Return the rate of a counter of the chosen mesh."""
    return f"rate({at(metric, *matchers)}[{RATE}])"


def quantile(share: float, metric: str, by: str, *matchers: str) -> str:
    """Return a quantile of a histogram; where nothing was counted lately, of all that ever was."""
    lately = f"histogram_quantile({share}, sum by (le, {by}) ({rate(f'{metric}_bucket', *matchers)})) >= 0"
    ever = f"histogram_quantile({share}, sum by (le, {by}) ({at(f'{metric}_bucket', *matchers)})) >= 0"
    return f"({lately}) or ({ever})"


def or_nothing(query: str) -> str:
    """Return a query that is 0 where nothing was ever counted: a counter has no series before its first event."""
    return f"{query} or vector(0)"

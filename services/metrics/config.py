"""What the metrics service takes from the mesh's configuration."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from meshkit import feeds
from meshkit.configuration.aggregator import NODE_METRICS, ProcessMetricsPush
from meshkit.configuration.feeds.timings import FeedTimings, timings
from meshkit.configuration.solution import Configuration, Solution
from meshkit.push import config as push
from services.metrics.verdict.verdict import Limits

# Labels that say which program the aggregator's metrics are of.
_OF_ONE_PROGRAM: Final = frozenset({"service", "job"})


@dataclass(frozen=True, slots=True)
class MetricsConfig:
    """
    Hold what the service needs to know.

    Attributes:
        port: That of the page of process metrics.
        push: The push, if there is one.
        limits: What the verdict demands.
        data_dir: Where all is kept that outlives a run; its disk is watched.
        pages: Address of the page of each process that has one of HTTP, by the service's name.
        gather_ms: Time between two readings of other processes' pages.
        feeds: Base and quote of each configured feed, by its name.
        node_metrics: The names of the nodes' metrics that are pushed; `*` at the end stands for any ending.
        node_samples: How many samples of one node at most.
    """

    port: int
    push: push.PushConfig | None
    limits: Limits
    data_dir: Path
    pages: Mapping[str, str] = field(default_factory=dict)
    gather_ms: int = 15_000
    feeds: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    node_metrics: Sequence[str] = NODE_METRICS
    node_samples: int = 50_000


def from_configuration(configuration: Configuration) -> MetricsConfig:
    """Take this service's part; raise InvalidInput for a grouping label that Prometheus would refuse."""
    solution = configuration.solution
    section, ocr, by_feed = _push_section(solution), solution.mesh.ocr, _timings(solution)
    chosen = section or ProcessMetricsPush()
    return MetricsConfig(
        port=solution.mesh.ports.metrics,
        # PUT, so that processes that are gone vanish at a receiver that replaces groups.
        push=push.read(
            section,
            "solution.metricsPush",
            "PUT",
            ttl_s=None if section is None else section.ttl_seconds,
            egress=solution.mesh.egress,
        ),
        limits=Limits(
            oracles=frozenset(
                f"chainlink-node-{index}" for index in range(solution.bootstrap_nodes + 1, solution.total_nodes + 1)
            ),
            longest_age_s=ocr.delta_c_ms / 1000 + solution.mesh.supervisor.answer_margin_seconds,
            longest_ages_s={
                name: each.delta_c_ms / 1000 + solution.mesh.supervisor.answer_margin_seconds
                for name, each in by_feed.items()
            },
            start_s=ocr.delta_progress_ms / 1000 + solution.mesh.supervisor.answer_margin_seconds,
            heartbeats_s={name: each.delta_c_ms / 1000 for name, each in by_feed.items()},
            deviations_bps={name: each.alpha_ppb / 100_000 for name, each in by_feed.items()},
        ),
        data_dir=solution.mesh.data_dir,
        feeds={name: (feeds.get(name).base, feeds.get(name).quote) for name in solution.mesh.feeds},
        pages=_pages(solution),
        gather_ms=chosen.gather_interval_ms,
        node_metrics=tuple(chosen.node_metrics),
        node_samples=chosen.node_samples,
    )


def _pages(solution: Solution) -> dict[str, str]:
    """Return where nodes and aggregator have their pages; an aggregator that pushes its own is not asked for it."""
    base = solution.mesh.ports.node_api_base
    ports = {f"chainlink-node-{index}": base + index for index in range(1, solution.total_nodes + 1)}
    if not solution.price_aggregator_config.metrics_push.enabled:
        ports["price-aggregator"] = solution.price_aggregator_config.port
    return {name: f"http://127.0.0.1:{port}/metrics" for name, port in ports.items()}


def _timings(solution: Solution) -> dict[str, FeedTimings]:
    """Return what each feed goes by, for feeds that may have another heartbeat or deviation than all."""
    mesh = solution.mesh
    return {
        name: timings(mesh.ocr, mesh.feed_settings.get(name), feeds.load().get(name))
        for name in dict.fromkeys((*mesh.feeds, *mesh.feed_settings))
    }


def _push_section(solution: Solution) -> ProcessMetricsPush | None:
    """Return where the process metrics go: where their own section says, else where the aggregator's metrics go."""
    shared = solution.price_aggregator_config.metrics_push
    if solution.metrics_push is not None or not shared.enabled:
        return solution.metrics_push
    labels = {name: value for name, value in shared.grouping_labels.items() if name not in _OF_ONE_PROGRAM}
    return ProcessMetricsPush(
        enabled=True,
        url=shared.url,
        groupingLabels=labels,
        basicAuth=shared.basic_auth,
        headers=shared.headers,
        timeoutMs=shared.timeout_ms,
        receiver=shared.receiver,
        gzip=shared.gzip,
        caFile=shared.ca_file,
    )

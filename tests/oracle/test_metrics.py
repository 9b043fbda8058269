"""The metrics of a job."""

from meshkit.metrics import Registry
from services.oracle.metrics import METRICS, OracleMetrics
from services.oracle.ocr.state import Trace, TraceKind

OWN = 2


def _trace(kind: TraceKind, at_ms: int, round_number: int = 1, leader: int | None = OWN, **more: object) -> Trace:
    return Trace(kind, 7, round_number, at_ms, leader, **more)  # type: ignore[arg-type]


def _samples(registry: Registry) -> dict[str, float]:
    lines = [line for line in registry.render().decode().splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


def test_a_round_is_counted_in_all_its_parts() -> None:
    """Epoch, leader, sent and included observations, led rounds and the report's latency follow the moments."""
    registry = Registry(METRICS)
    metrics = OracleMetrics(registry).add(4, "BTC / USD")
    metrics.median = 65
    metrics.follow(_trace(TraceKind.EPOCH_STARTED, 900, 0), OWN)
    for number, observers in ((1, (0, 1, OWN)), (2, (0, 1, 3))):
        metrics.follow(_trace(TraceKind.ROUND_STARTED, 1000 * number, number), OWN)
        metrics.follow(_trace(TraceKind.OBSERVATION_SENT, 1000 * number + 10, number, value=65), OWN)
        metrics.follow(_trace(TraceKind.FINAL, 1000 * number + 300, number, observers=observers), OWN)
    metrics.follow(_trace(TraceKind.FINAL, 5000, 3, leader=1, observers=(OWN,)), OWN)

    found = _samples(registry)
    label = '{job_name="BTC / USD"}'
    assert 65 == found['ocr_median_values{job_id="4",job_name="BTC / USD"}']
    assert (7, OWN) == (found[f"feedmesh_oracle_epoch{label}"], found[f"feedmesh_oracle_leader{label}"])
    assert 2 == found[f"feedmesh_oracle_sent_observations_total{label}"]
    assert 2 == found[f"feedmesh_oracle_included_observations_total{label}"]
    assert 2 == found[f"feedmesh_oracle_led_rounds_total{label}"]
    assert 1 == found[f"feedmesh_oracle_observers{label}"]
    reports = {oracle: found[f'feedmesh_oracle_final_reports_total{{oracle="{oracle}"}}'] for oracle in (0, 1, OWN, 3)}
    assert {0: 2, 1: 2, OWN: 2, 3: 1} == reports
    assert 3 == found['feedmesh_oracle_rounds_total{job_name="BTC / USD",moment="final"}']
    assert 2 == found[f"feedmesh_oracle_report_seconds_count{label}"]
    assert 0.6 == found[f"feedmesh_oracle_report_seconds_sum{label}"]
    assert 0 == found['feedmesh_oracle_report_seconds_bucket{job_name="BTC / USD",le="0.25"}']


def test_a_job_that_is_gone_leaves_nothing() -> None:
    """After its end no series of a job is left, and those of another job stay."""
    registry = Registry(METRICS)
    jobs = OracleMetrics(registry)
    gone, staying = jobs.add(1, "ETH / USD"), jobs.add(2, "EUR / USD")
    for metrics in (gone, staying):
        metrics.median, metrics.failed_runs = 1, 3
        for kind in TraceKind:
            metrics.follow(_trace(kind, 1000, observers=(OWN,)), OWN)
    before = {name.replace("ETH", "EUR").replace('"1"', '"2"') for name in _samples(registry) if "ETH" in name}
    jobs.remove(gone)

    after = set(_samples(registry))
    assert not [name for name in after if "ETH" in name]
    assert before == {name for name in after if "EUR" in name}

"""Turn a snapshot into the samples of the metrics page."""

from collections.abc import Iterator

from services.metrics import names
from services.metrics.exposition import Sample
from services.metrics.snapshot import ProcessSample, ServiceSample, Snapshot

_BYTES_PER_KB = 1024


def samples(snapshot: Snapshot) -> Iterator[Sample]:
    """Yield every sample of a snapshot."""
    for process in snapshot.processes:
        yield from _of_process(process)
    for service in snapshot.services:
        yield from _of_service(service)
    yield Sample(names.SUPERVISOR_UP, (), int(snapshot.supervisor_up))


def _of_process(process: ProcessSample) -> Iterator[Sample]:
    reading = process.reading
    labels = (process.service, reading.name, str(reading.pid))
    yield Sample(names.PROCESS_LIST, labels, 1)
    yield Sample(names.PROCESS_CPU_PERCENT, labels, round(process.cpu_percent or 0.0, 3))
    yield Sample(names.PROCESS_MEMORY_RSS_KB, labels, reading.resident_bytes // _BYTES_PER_KB)
    yield Sample(names.PROCESS_INFO, labels, 1)
    yield Sample(names.PROCESS_CPU_SECONDS, (*labels, "user"), reading.user_s)
    yield Sample(names.PROCESS_CPU_SECONDS, (*labels, "system"), reading.system_s)
    yield Sample(names.PROCESS_RESIDENT_BYTES, labels, reading.resident_bytes)
    yield Sample(names.PROCESS_START_TIME, labels, reading.started_s)


def _of_service(service: ServiceSample) -> Iterator[Sample]:
    labels = (service.service,)
    yield Sample(names.S6_SERVICE_RESTART_COUNT, labels, service.restarts)
    yield Sample(names.S6_SERVICE_LAST_RESTART_TS, labels, (service.last_restart_ms or 0) // 1000)
    yield Sample(names.SERVICE_RESTARTS, labels, service.restarts)
    if service.last_restart_ms is not None:
        yield Sample(names.SERVICE_LAST_RESTART, labels, service.last_restart_ms / 1000)

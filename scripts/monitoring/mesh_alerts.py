"""Alerts of processes, money, metrics and machines."""

from typing import Final

from scripts.monitoring.alert import Alert
from scripts.monitoring.calm_metrics import DAMAGED, MESH, OPERATOR, PUSHED, UP
from scripts.monitoring.timeline import absent, at, rising, stopped

MESH_ALERTS: Final = (
    Alert(
        "ServiceRestarted",
        "increase(chainlink_service_restarts_total[15m]) > 0",
        "0m",
        "warning",
        "{{ $labels.service }} crashed and was started again",
        "A process ended by itself, or was ended because it hung. After `maxRestarts` of them the whole mesh stops.",
        "`feedmesh logs SERVICE --since 1h` from before the restart.",
        "A crash is a defect, or a machine without memory: look at both before it happens again.",
        {f'chainlink_service_restarts_total{{service="chainlink-node-2",{MESH}}}': rising(1)},
    ),
    Alert(
        "BalanceLow",
        'feedmesh_operator_balance_wei{account!="faucet"} < on (job, instance, mesh_service) group_left () '
        "feedmesh_operator_balance_minimum_wei",
        "5m",
        "critical",
        "{{ $labels.account }} has {{ $value | humanize }} wei left",
        "A transmitter has less than the balance under which it is topped up, and no top-up came.",
        "`feedmesh balances`; the operator's log for `top_up`.",
        "Fund the faucet, or the transmitter itself. The others transmit in its place while they can.",
        {f'feedmesh_operator_balance_wei{{account="chainlink-node-2",{OPERATOR}}}': at(5e15)},
    ),
    Alert(
        "DaysLeft",
        "feedmesh_operator_days_left < 7",
        "15m",
        "warning",
        "{{ $labels.account }} lasts for {{ $value | humanize }} days",
        "At the rate of spending that was measured on chain the account is empty within a week.",
        "`feedmesh balances` for the rate; `feedmesh_operator_transmission_cost_wei` for the price of a transmission.",
        "Fund the account. If the rate has risen, see whether the gas price or the number of rounds has.",
        {f'feedmesh_operator_days_left{{account="faucet",{OPERATOR}}}': at(3)},
    ),
    Alert(
        "PushFailing",
        "time() - max by (job, instance) (last_over_time(feedmesh_metrics_push_timestamp_seconds[1h])) > 120",
        "1m",
        "warning",
        "No push of {{ $labels.job }} on {{ $labels.instance }} was taken for {{ $value | humanizeDuration }}",
        "Metrics do not arrive, or the process that pushes them is gone. All that is shown of it is old.",
        "The log of `process-metrics` or `price-aggregator` for `push_failed`, which says what the receiver answered.",
        "Mend credentials, certificate or receiver. Rounds do not depend on it.",
        {PUSHED: stopped()},
    ),
    Alert(
        "PushLosesSamples",
        "feedmesh_metrics_push_lost_samples > 0",
        "10m",
        "warning",
        "{{ $value }} samples of {{ $labels.job }} were taken and are not there",
        "The receiver answers that all is well and keeps less than it was sent.",
        "The log for `push_lost_samples`, which names metrics; the receiver's own log and limits (labels, "
        "cardinality).",
        "Raise the receiver's limits, or drop grouping labels.",
        {f"feedmesh_metrics_push_lost_samples{{{MESH}}}": at(12)},
    ),
    Alert(
        "MetricsSilent",
        "absent_over_time(feedmesh_supervisor_up[5m])",
        "5m",
        "critical",
        "Nothing comes from any mesh",
        "No mesh has pushed for ten minutes; the other alerts are silent for that reason alone.",
        "Is the container running? `feedmesh status` on its host, then PushFailing.",
        "Start the mesh, or mend the way to the receiver.",
        {UP: absent()},
    ),
    Alert(
        "SupervisorSilent",
        "feedmesh_supervisor_up == 0",
        "1m",
        "critical",
        "The supervisor of {{ $labels.instance }} gives no answer",
        "Nobody restarts what crashes, though all that runs goes on.",
        "The container's own log; the processor time and memory of the supervisor.",
        "Restart the container at a quiet moment.",
        {UP: at(0)},
    ),
    Alert(
        "TargetDown",
        "feedmesh_target_up == 0",
        "2m",
        "warning",
        "The metrics of {{ $labels.mesh_service }} cannot be read",
        "The process gives no page of metrics: it is down, hangs, or writes too much.",
        "`feedmesh_target_failures_total` by reason; `feedmesh status`.",
        "See the process's log. If it is healthy otherwise, its alerts are blind until this is mended.",
        {f'feedmesh_target_up{{mesh_service="operator",{MESH}}}': at(0)},
    ),
    Alert(
        "DiskLow",
        'feedmesh_disk_bytes{part="free"} / ignoring (part) feedmesh_disk_bytes{part="size"} < 0.1',
        "5m",
        "warning",
        "{{ $value | humanizePercentage }} of the disk of {{ $labels.instance }} is free",
        "When the disk of the data directory is full, PostgreSQL stops, and with it all nodes.",
        "`feedmesh_database_bytes` by node; the logs' directory.",
        "Free space or enlarge the disk.",
        {f'feedmesh_disk_bytes{{part="free",{MESH}}}': at(4e9)},
    ),
    Alert(
        "DatabaseDamaged",
        "feedmesh_database_checksum_failures_total > 0",
        "0m",
        "critical",
        "{{ $labels.database }} has damaged pages",
        "PostgreSQL read pages whose checksums are wrong: the disk or the memory is failing.",
        "`feedmesh db check`; the kernel's log.",
        "Stop the node of this database, move to another disk, restore or let the node begin anew: what it has "
        "signed is in "
        "its database, so never run it with an older copy.",
        {DAMAGED: at(2)},
    ),
)

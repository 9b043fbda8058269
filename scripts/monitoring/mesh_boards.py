"""Dashboards of the mesh: system resources, a feed's rounds, a node, chain and money."""

from typing import Final

from scripts.monitoring.panel import Board, Panel, at, or_nothing, quantile, rate

_FEED: Final = 'feed=~"$feed"'
_JOB: Final = 'job_name=~"$feed"'
_NODE: Final = 'mesh_service=~"$mesh_service"'
_IS_FINAL: Final = 'moment="final"'
_IS_TRANSMITTED: Final = 'moment="transmitted"'

MESH_BOARDS: Final = (
    Board(
        "system",
        "feedmesh: system resources",
        (
            Panel(
                "Processor time, 100 % a core",
                "percent",
                ((f"sum by (service) ({at('chainlink_process_cpu_percent')})", "{{service}}"),),
                True,
            ),
            Panel(
                "Memory",
                "bytes",
                (
                    (f"sum by (service) ({at('chainlink_process_resident_memory_bytes')})", "{{service}}"),
                    (at("feedmesh_memory_limit_bytes"), "limit"),
                ),
            ),
            Panel(
                "Restarts", "short", ((f"sum by (service) ({at('chainlink_service_restarts_total')})", "{{service}}"),)
            ),
            Panel("Disk of the data directory", "bytes", ((at("feedmesh_disk_bytes"), "{{part}}"),)),
            Panel("Size of the databases", "bytes", ((at("feedmesh_database_bytes"), "{{database}}"),), True),
            Panel(
                "Connections to the databases", "short", ((at("feedmesh_database_connections"), "{{database}}"),), True
            ),
            Panel(
                "Damaged pages of databases",
                "short",
                ((at("feedmesh_database_checksum_failures_total"), "{{database}}"),),
            ),
            Panel(
                "Samples read from each process", "short", ((at("feedmesh_target_samples"), "{{mesh_service}}"),), True
            ),
            Panel(
                "Age of the last push that was taken",
                "s",
                ((f"time() - {at('feedmesh_metrics_push_timestamp_seconds')}", "{{job}}"),),
            ),
            Panel(
                "Failed pushes, and samples that were lost",
                "short",
                (
                    (at("feedmesh_metrics_push_failures_total"), "{{job}} failed"),
                    (or_nothing(at("feedmesh_metrics_push_lost_samples")), "{{job}} lost"),
                ),
            ),
            Panel(
                "Calls between processes",
                "ops",
                ((f"sum by (service, code) ({rate('grpc_server_handled_total')})", "{{service}} {{code}}"),),
            ),
        ),
    ),
    Board(
        "feed",
        "feedmesh: a feed's rounds",
        (
            Panel(
                "Answer and market",
                "none",
                ((at("feedmesh_feed_answer", _FEED), "answer"), (at("feedmesh_feed_market_price", _FEED), "market")),
            ),
            Panel(
                "Gap in basis points",
                "none",
                (
                    (at("feedmesh_feed_gap_bps", _FEED), "gap"),
                    (at("feedmesh_feed_deviation_bps", _FEED), "causes an answer"),
                ),
            ),
            Panel("State", "short", ((at("feedmesh_feed_state", _FEED), "{{state}}"),), True),
            Panel(
                "Age of the answer, and heartbeat",
                "s",
                (
                    (f"time() - {at('feedmesh_feed_answer_timestamp_seconds', _FEED)}", "age"),
                    (at("feedmesh_feed_heartbeat_seconds", _FEED), "heartbeat"),
                ),
            ),
            Panel("Round on chain", "short", ((at("feedmesh_feed_round", _FEED), "round"),)),
            Panel("Observations by node", "none", ((at("ocr_median_values", _JOB), "{{mesh_service}}"),)),
            Panel(
                "Oracles in the last report", "short", ((at("feedmesh_oracle_observers", _JOB), "{{mesh_service}}"),)
            ),
            Panel(
                "Moments of rounds",
                "ops",
                ((f"sum by (moment) ({rate('feedmesh_oracle_rounds_total', _JOB)})", "{{moment}}"),),
            ),
            Panel(
                "Share of reports with a node's observation",
                "percentunit",
                (
                    (
                        f"sum by (mesh_service) ({at('feedmesh_oracle_included_observations_total', _JOB)}) "
                        f"/ sum by (mesh_service) ({at('feedmesh_oracle_rounds_total', _JOB, _IS_FINAL)})",
                        "{{mesh_service}}",
                    ),
                ),
            ),
            Panel(
                "Time from hop to hop, from the exchange into a block, 50 %",
                "s",
                ((quantile(0.5, "feedmesh_round_hop_seconds", "hop", _JOB), "{{hop}}"),),
            ),
            Panel(
                "Time to a report, 95 %",
                "s",
                ((quantile(0.95, "feedmesh_oracle_report_seconds", "mesh_service", _JOB), "{{mesh_service}}"),),
            ),
            Panel(
                "Answer is outside of the contract's bounds",
                "short",
                ((f"max by (job_name) ({at('feedmesh_oracle_pinned', _JOB)})", "{{job_name}}"),),
            ),
        ),
        ("feed", "feedmesh_feed_state"),
    ),
    Board(
        "node",
        "feedmesh: a node",
        (
            Panel(
                "Health of its parts",
                "short",
                ((f"min by (mesh_service) ({at('health', _NODE)})", "{{mesh_service}}"),),
            ),
            Panel(
                "Newest block",
                "short",
                ((at("head_tracker_current_head", _NODE), "{{mesh_service}} chain {{evmChainID}}"),),
            ),
            Panel("Epoch of its feeds", "short", ((at("feedmesh_oracle_epoch", _NODE), "{{job_name}}"),)),
            Panel(
                "Moments of rounds",
                "ops",
                ((f"sum by (moment) ({rate('feedmesh_oracle_rounds_total', _NODE)})", "{{moment}}"),),
            ),
            Panel(
                "Reports with its observation, and all it saw",
                "ops",
                (
                    (f"sum by (mesh_service) ({rate('feedmesh_oracle_included_observations_total', _NODE)})", "with"),
                    (f"sum by (mesh_service) ({rate('feedmesh_oracle_rounds_total', _NODE, _IS_FINAL)})", "all"),
                ),
            ),
            Panel(
                "Reports by oracle",
                "ops",
                ((f"sum by (oracle) ({rate('feedmesh_oracle_final_reports_total', _NODE)})", "oracle {{oracle}}"),),
            ),
            Panel(
                "Rounds that it led",
                "ops",
                ((f"sum by (mesh_service) ({rate('feedmesh_oracle_led_rounds_total', _NODE)})", "{{mesh_service}}"),),
            ),
            Panel(
                "Failed runs of pipelines",
                "short",
                ((or_nothing(f"sum by (job_name) ({at('pipeline_run_errors', _NODE)})"), "{{job_name}}"),),
            ),
            Panel(
                "Events of network, transactions and jobs",
                "ops",
                ((f"topk(20, {rate('feedmesh_oracle_events', _NODE)})", "{{part}} {{event}}"),),
            ),
            Panel("Memory", "bytes", ((at("process_resident_memory_bytes", _NODE), "{{mesh_service}}"),)),
            Panel("Processor time", "percentunit", ((rate("process_cpu_seconds_total", _NODE), "{{mesh_service}}"),)),
        ),
        ("mesh_service", "feedmesh_oracle_epoch"),
    ),
    Board(
        "chain-and-money",
        "feedmesh: chain and money",
        (
            Panel(
                "Balances",
                "none",
                (
                    (at("feedmesh_operator_balance_wei"), "{{account}} wei"),
                    (at("feedmesh_operator_balance_minimum_wei"), "minimum"),
                ),
            ),
            Panel("Days that the money lasts", "d", ((or_nothing(at("feedmesh_operator_days_left")), "{{account}}"),)),
            Panel("Spent a day", "none", ((or_nothing(at("feedmesh_operator_spend_wei_per_day")), "{{account}} wei"),)),
            Panel("Fees paid", "none", ((or_nothing(at("feedmesh_operator_spent_wei_total")), "{{account}} wei"),)),
            Panel(
                "What a transmission costs",
                "none",
                ((or_nothing(at("feedmesh_operator_transmission_cost_wei")), "wei"),),
            ),
            Panel("Top-ups", "short", ((or_nothing(at("feedmesh_operator_top_ups_total")), "{{account}}"),)),
            Panel("Newest block of each node", "short", ((at("head_tracker_current_head"), "{{mesh_service}}"),)),
            Panel("Feeds by how far their set-up is", "short", ((at("feedmesh_operator_feeds"), "{{phase}}"),), True),
            Panel(
                "Differences from the configuration",
                "short",
                (
                    (or_nothing(f"sum by (feed) ({at('feedmesh_operator_feed_differences')})"), "{{feed}}"),
                    (or_nothing(f"sum by (node) ({at('feedmesh_operator_node_differences')})"), "{{node}}"),
                ),
            ),
            Panel(
                "Passes of the operator",
                "ops",
                (
                    (
                        f"sum by (part, outcome) ({rate('feedmesh_operator_reconcile_passes_total')})",
                        "{{part}} {{outcome}}",
                    ),
                ),
            ),
            Panel(
                "Transmissions",
                "ops",
                ((f"sum by (job_name) ({rate('feedmesh_oracle_rounds_total', _IS_TRANSMITTED)})", "{{job_name}}"),),
            ),
        ),
    ),
)

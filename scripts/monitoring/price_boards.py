"""Dashboards of prices: overview, cache health, sources, price flow."""

from typing import Final

from scripts.monitoring.panel import Board, Panel, at, or_nothing, quantile, rate

PRICE_BOARDS: Final = (
    Board(
        "overview",
        "feedmesh: overview",
        (
            Panel("Feeds by state", "short", ((f"sum by (state) ({at('feedmesh_feed_state')})", "{{state}}"),), True),
            Panel(
                "Age of the answers on chain",
                "s",
                ((f"time() - {at('feedmesh_feed_answer_timestamp_seconds')}", "{{feed}}"),),
            ),
            Panel("Gap between market and chain", "none", ((at("feedmesh_feed_gap_bps"), "{{feed}} bps"),)),
            Panel("Oracles up, and needed for a report", "short", ((at("feedmesh_oracles"), "{{part}}"),)),
            Panel("Sources that answer", "short", ((at("source_availability"), "{{source}}"),)),
            Panel(
                "Restarts", "short", ((f"sum by (service) ({at('chainlink_service_restarts_total')})", "{{service}}"),)
            ),
            Panel("Days that the money lasts", "d", ((or_nothing(at("feedmesh_operator_days_left")), "{{account}}"),)),
            Panel("Processes whose metrics are read", "short", ((at("feedmesh_target_up"), "{{mesh_service}}"),)),
        ),
    ),
    Board(
        "cache",
        "feedmesh: cache health",
        (
            Panel("Hits per look into the cache", "percentunit", ((at("cache_hit_ratio"), "{{source}}"),)),
            Panel("Fresh prices", "short", ((at("cache_entries_total"), "{{source}}"),), True),
            Panel("Pairs without a fresh price", "short", ((at("cache_stale_entries"), "{{source}}"),)),
            Panel("Age of the oldest price that is served", "s", ((at("quote_age_seconds"), "{{source}}"),)),
            Panel(
                "Looks into the cache",
                "ops",
                (
                    (f"sum by (source) ({rate('cache_hits_total')})", "{{source}} hit"),
                    (f"sum by (source) ({rate('cache_misses_total')})", "{{source}} miss"),
                ),
            ),
            Panel(
                "Refreshes before expiry",
                "ops",
                (
                    (
                        or_nothing(f"sum by (source, status) ({rate('refetch_operations_total')})"),
                        "{{source}} {{status}}",
                    ),
                ),
            ),
            Panel(
                "Share of refreshes that brought a price",
                "percentunit",
                ((or_nothing(at("prefetch_success_rate")), "{{source}}"),),
            ),
        ),
    ),
    Board(
        "sources",
        "feedmesh: sources",
        (
            Panel("Sources that answer", "short", ((at("source_availability"), "{{source}}"),)),
            Panel(
                "Circuit breaker: 0 closed, 1 on trial, 2 open", "short", ((at("source_circuit_state"), "{{source}}"),)
            ),
            Panel(
                "Fetches by outcome",
                "ops",
                ((or_nothing(f"sum by (source, status) ({rate('source_requests_total')})"), "{{source}} {{status}}"),),
            ),
            Panel(
                "Time of a fetch, 95 %",
                "s",
                ((or_nothing(quantile(0.95, "source_request_duration_seconds", "source")), "{{source}}"),),
            ),
            Panel(
                "Failed pairs by reason",
                "ops",
                ((or_nothing(f"sum by (source, reason) ({rate('source_errors_total')})"), "{{source}} {{reason}}"),),
            ),
            Panel(
                "Refused prices by rule",
                "ops",
                ((or_nothing(f"sum by (source, reason) ({rate('refused_prices_total')})"), "{{source}} {{reason}}"),),
            ),
            Panel("Share of its feeds in which a source counts", "percentunit", ((at("source_score"), "{{source}}"),)),
            Panel(
                "Verdicts on prices",
                "ops",
                (
                    (
                        or_nothing(f"sum by (source, verdict) ({rate('source_verdicts_total')})"),
                        "{{source}} {{verdict}}",
                    ),
                ),
            ),
            Panel("Streams that are up", "short", ((or_nothing(at("websocket_connections")), "{{source}}"),)),
            Panel(
                "Messages of streams",
                "ops",
                ((or_nothing(f"sum by (source) ({rate('websocket_messages_received')})"), "{{source}}"),),
            ),
            Panel(
                "New connections of streams",
                "ops",
                (
                    (
                        or_nothing(f"sum by (source, reason) ({rate('websocket_reconnects_total')})"),
                        "{{source}} {{reason}}",
                    ),
                ),
            ),
        ),
    ),
    Board(
        "price-flow",
        "feedmesh: price flow",
        (
            Panel("Age of the prices behind each feed", "s", ((at("feed_age_seconds"), "{{feed}}"),)),
            Panel("Sources behind each feed", "short", ((at("feed_sources"), "{{feed}}"),)),
            Panel(
                "Feeds whose price is not believed, by reason",
                "ops",
                ((or_nothing(f"sum by (reason) ({rate('feed_refusals_total')})"), "{{reason}}"),),
            ),
            Panel(
                "Answers to nodes",
                "ops",
                ((f"sum by (route, status) ({rate('http_requests_total')})", "{{route}} {{status}}"),),
            ),
            Panel(
                "Time of an answer to a node, 99 %",
                "s",
                ((quantile(0.99, "http_request_duration_seconds", "route"), "{{route}}"),),
            ),
            Panel(
                "Time from hop to hop, from the exchange into a block, 95 %",
                "s",
                ((quantile(0.95, "feedmesh_round_hop_seconds", "hop"), "{{hop}}"),),
            ),
            Panel(
                "Time from a round's start to its report, 95 %",
                "s",
                ((quantile(0.95, "feedmesh_oracle_report_seconds", "job_name"), "{{job_name}}"),),
            ),
            Panel(
                "Size of the gap between market and chain, 95 %",
                "none",
                ((quantile(0.95, "feedmesh_feed_gap_distribution_bps", "feed"), "{{feed}} bps"),),
            ),
            Panel(
                "Our clock ahead of the sources'",
                "s",
                ((or_nothing(at("own_clock_ahead_seconds")), "ahead"), (at("own_clock_off"), "off")),
            ),
        ),
    ),
)

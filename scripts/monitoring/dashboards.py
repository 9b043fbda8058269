"""Grafana's dashboards, made of the tables of panels with Grafana's own builders."""

from typing import Final

from grafana_foundation_sdk.builders import dashboard, prometheus, timeseries
from grafana_foundation_sdk.builders.common import StackingConfig, VizLegendOptions
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.common import StackingMode
from grafana_foundation_sdk.models.dashboard import DataSourceRef, GridPos, VariableRefresh

from scripts.monitoring.panel import Board, Panel
from scripts.monitoring.panels import BOARDS

SOURCE: Final = DataSourceRef(type_val="prometheus", uid="feedmesh")
_HEIGHT, _WIDTH = 8, 12


def files() -> dict[str, str]:
    """Return the dashboards' JSON by file name."""
    return {f"{board.name}.json": made(board) for board in BOARDS}


def made(board: Board) -> str:
    """Return a dashboard's JSON."""
    builder = (
        dashboard.Dashboard(board.title)
        .uid(f"feedmesh-{board.name}")
        .tags(["feedmesh"])
        .refresh("30s")
        .time("now-6h", "now")
        .readonly()
        .with_variable(_variable("instance", "feedmesh_supervisor_up"))
    )
    if board.chosen is not None:
        builder = builder.with_variable(_variable(*board.chosen))
    for index, panel in enumerate(board.panels):
        place = GridPos(h=_HEIGHT, w=_WIDTH, x=index % 2 * _WIDTH, y=index // 2 * _HEIGHT)
        builder = builder.with_panel(_panel(panel).id(index + 1).grid_pos(place))
    return JSONEncoder(sort_keys=True, indent=2).encode(builder.build()) + "\n"


def _variable(label: str, metric: str) -> dashboard.QueryVariable:
    return (
        dashboard.QueryVariable(label)
        .datasource(SOURCE)
        .query(f"label_values({metric}, {label})")
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
        .multi(True)
        .include_all(True)
        .all_value(".*")
    )


def _panel(panel: Panel) -> timeseries.Panel:
    builder = timeseries.Panel().title(panel.title).datasource(SOURCE).unit(panel.unit)
    builder = builder.fill_opacity(10).legend(VizLegendOptions().show_legend(True))
    if panel.stacked:
        builder = builder.stacking(StackingConfig().mode(StackingMode.NORMAL))
    for index, (query, legend) in enumerate(panel.queries):
        target = prometheus.Dataquery().expr(query).legend_format(legend).ref_id(chr(ord("A") + index))
        builder = builder.with_target(target)
    return builder

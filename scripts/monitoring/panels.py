"""All dashboards, as tables: scripts/monitoring/dashboards.py makes Grafana's JSON of them."""

from typing import Final

from scripts.monitoring.mesh_boards import MESH_BOARDS
from scripts.monitoring.price_boards import PRICE_BOARDS

BOARDS: Final = (*PRICE_BOARDS, *MESH_BOARDS)

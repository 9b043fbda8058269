"""
Every alert in one table: the rule, the words of its runbook, and the fault that proves it.

`scripts/gen` makes deploy/alerts/feedmesh.yml and docs/operations.md of it; the tests have promtool play each fault.
"""

from typing import Final

from scripts.monitoring.mesh_alerts import MESH_ALERTS
from scripts.monitoring.price_alerts import PRICE_ALERTS

ALERTS: Final = (*PRICE_ALERTS, *MESH_ALERTS)

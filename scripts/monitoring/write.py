"""
Write the files that are made of the tables of alerts and dashboards.

    python -m scripts.monitoring.write DOCS DEPLOY
"""

import sys
from pathlib import Path

from scripts.monitoring import alert_files, dashboards


def main(docs: Path, deploy: Path) -> None:
    """Write the rule file, the runbooks and the dashboards."""
    alerts = deploy / "alerts"
    alerts.mkdir(parents=True, exist_ok=True)
    (alerts / "feedmesh.yml").write_text(alert_files.rule_file())
    boards = deploy / "grafana" / "dashboards"
    boards.mkdir(parents=True, exist_ok=True)
    made = dashboards.files()
    for gone in {path.name for path in boards.glob("*.json")} - made.keys():
        (boards / gone).unlink()
    for name, text in made.items():
        (boards / name).write_text(text)
    notice = f"<!-- {alert_files.NOTICE} -->\n\n"
    (docs / "operations.md").write_text(notice + alert_files.runbooks())


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))

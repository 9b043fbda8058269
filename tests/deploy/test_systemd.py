"""deploy/systemd/feedmesh.service, looked at by systemd's own tools."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

UNIT = Path("deploy/systemd/feedmesh.service")
MOST_EXPOSED = 3.5

needs_systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="there is no systemd-analyze here (Debian: systemd)"
)


@needs_systemd
def test_systemd_takes_it(tmp_path: Path) -> None:
    """Systemd's check has nothing to say; of an unknown setting it has, so that it is known to look."""
    unit = tmp_path / "feedmesh.service"
    text = UNIT.read_text().replace("/opt/feedmesh/bin/feedmesh", "/bin/true")
    unit.write_text(text)
    found = subprocess.run(["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, check=False)
    assert (0, "") == (found.returncode, found.stderr)
    unit.write_text(text.replace("ProtectSystem=", "ProtectSystems="))
    found = subprocess.run(["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, check=False)
    assert "ProtectSystems" in found.stderr


@needs_systemd
def test_it_is_well_closed() -> None:
    """Systemd's measure of exposure, 0 for none to 10, stays low for a service that starts as root."""
    command = ["systemd-analyze", "security", "--offline=true", f"--threshold={MOST_EXPOSED * 10:.0f}", str(UNIT)]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    level = re.search(r"Overall exposure level for feedmesh.service: ([0-9.]+)", found.stdout)
    assert level is not None, found.stderr
    assert float(level[1]) <= MOST_EXPOSED


def test_its_stop_is_longer_than_the_mesh() -> None:
    """Systemd gives the mesh longer for its ordered stop than the mesh takes, and tells the main process only."""
    settings = dict(line.split("=", 1) for line in UNIT.read_text().splitlines() if re.match(r"\w+=", line))
    assert int(settings["TimeoutStopSec"]) > 14
    assert ("mixed", "on-failure", "0") == (settings["KillMode"], settings["Restart"], settings["LimitCORE"])

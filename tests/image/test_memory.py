"""A limit of memory: seen by what sizes itself, and when it is reached, only what the rounds need least is lost."""

import re

import pytest

from tests.image.mesh import Mesh
from tests.image.podman import podman, wait_until
from tests.image.report import note

pytestmark = pytest.mark.image

LIMIT_MB = 1600
# Takes memory step by step, as far as it is told to by a file that goes away.
_HOG = """
import os, time
taken = []
while os.path.exists("/run/hog"):
    taken.append(bytearray(os.urandom(1) * (4 * 1024 * 1024)))
    time.sleep(0.02)
"""


def test_a_limit_is_seen_and_reached(mesh: Mesh) -> None:
    """PostgreSQL is sized by the container's limit; reached, it costs the metrics service a restart and no round."""
    mesh.start("--memory", f"{LIMIT_MB}m", "--memory-swap", f"{LIMIT_MB}m")
    mesh.until_healthy()
    mesh.until_rounds(1)
    settings = (mesh.sp / "postgresql/feedmesh.conf").read_text()
    shared = re.search(r"^shared_buffers *= *'?(\d+)MB", settings, re.MULTILINE)
    assert shared is not None, settings
    assert LIMIT_MB // 32 == int(shared[1]), settings
    asked = "from urllib.request import urlopen; print(urlopen('http://127.0.0.1:3003/metrics').read().decode())"
    page = mesh.inside.exec("python3", "-c", asked).stdout
    assert f"feedmesh_memory_limit_bytes {LIMIT_MB * 1024 * 1024}" in page.splitlines()

    mesh.inside.exec("touch", "/run/hog")
    podman("exec", "--detach", "--user", "0", mesh.inside.name, "python3", "-c", _HOG)
    try:
        wait_until("the kernel has killed a service", lambda: _restarted(mesh), 120, mesh.inside)
    finally:
        mesh.inside.exec("rm", "-f", "/run/hog")
    killed = _restarted(mesh)
    mesh.until_healthy()
    mesh.until_rounds(1)
    note("killed at the memory limit", f"{killed} of {LIMIT_MB} MB")
    assert {"process-metrics"} == set(killed)
    assert "signal 9" in mesh.inside.log() or "SIGKILL" in mesh.inside.log()
    assert 0 == mesh.stop()


def _restarted(mesh: Mesh) -> dict[str, int]:
    """Return which services have been restarted, and how often."""
    return {name: restarts for name, service in mesh.services().items() if (restarts := int(service["restarts"]))}

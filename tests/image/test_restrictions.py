"""What a host may demand or do to the container: few rights, another user, little room, a wrong or unreadable file."""

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from services.supervisor.plan.plan_input import CAPABILITIES
from tests.image import inspection
from tests.image.mesh import Mesh
from tests.image.podman import podman, wait_until

pytestmark = pytest.mark.image

READ_ONLY = ("--read-only", "--tmpfs", "/run", "--tmpfs", "/tmp", "--shm-size", "64m")


def test_read_only_with_the_rights_it_needs(mesh: Mesh) -> None:
    """With a read-only root, 64 MB of shared memory and five rights, rounds are made, and a second start works too."""
    options = ("--cap-drop", "all", *(f"--cap-add={right}" for right in CAPABILITIES), *READ_ONLY)
    for _ in range(2):
        mesh.start(*options)
        mesh.until_healthy()
        mesh.until_rounds(1)
        assert len(set(inspection.users(mesh).values())) == len(inspection.users(mesh))
        assert 0 == mesh.stop()


@pytest.mark.parametrize("user", [0, 1000])
def test_volumes_of_an_orchestrator(mesh: Mesh, tmp_path: Path, user: int) -> None:
    """What Kubernetes mounts as an emptyDir, for everybody to write, does as the directory of sockets."""
    _give(mesh.sp, user)
    volume = tmp_path / "run"
    volume.mkdir()
    volume.chmod(0o777)
    mesh.start("--user", str(user), "--read-only", "--read-only-tmpfs=false", "--volume", f"{volume}:/run")
    mesh.until_healthy()
    mesh.until_rounds(1)
    assert 0 == mesh.stop()


def test_too_few_rights(mesh: Mesh) -> None:
    """Root that may not change users is told in one line which capabilities are missing."""
    mesh.start("--cap-drop", "all", "--cap-add", "CHOWN")
    _ended_with_one_line(mesh, "root without DAC_OVERRIDE, KILL, SETGID, SETUID")


def test_as_another_user_without_any_right(mesh: Mesh) -> None:
    """Started as user 1000 without any right, all services are that user, and rounds are made."""
    _give(mesh.sp, 1000)
    mesh.start("--user", "1000", "--cap-drop", "all", "--security-opt", "no-new-privileges", *READ_ONLY)
    mesh.until_healthy()
    mesh.until_rounds(1)
    assert {"1000"} == set(inspection.users(mesh).values())
    assert "healthy" in mesh.inside.exec("feedmesh", "status", user="1000").stdout
    wait_until("the health check agrees", lambda: mesh.inside.health()[0] == 0, 30)
    assert 0 == mesh.stop()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"totalNodes": 2}, "solution.totalNodes"),
        ({"pgPasword": "a-secret-of-postgres"}, "did you mean 'pgPassword'"),
        (
            {"pgPassword": "/sp/secrets/absent"},
            "solution.pgPassword: found the file /sp/secrets/absent, which cannot be read: No such file",
        ),
        (None, "found no JSON"),
    ],
)
def test_a_wrong_configuration(mesh: Mesh, change: dict[str, Any] | None, words: str) -> None:
    """One line says what is wrong, the exit code is 1, and nothing has been made."""
    _change(mesh, change)
    mesh.start()
    _ended_with_one_line(mesh, words)
    assert ["configurations"] == _made(mesh)


def test_no_configuration(mesh: Mesh) -> None:
    """Without a file the line names where it is looked for."""
    (mesh.sp / "configurations/configuration.json").unlink()
    mesh.start()
    _ended_with_one_line(mesh, "/sp/configurations/configuration.json")


def test_an_unreadable_secret(mesh: Mesh) -> None:
    """A secret that the container's user must not read is named with its key; nothing has been made."""
    _give(mesh.sp, 1000)
    secret = mesh.sp / "secrets/postgres"
    secret.parent.mkdir()
    secret.write_text("never-to-be-seen-by-anyone")
    secret.chmod(0o600)
    _change(mesh, {"pgPassword": "/sp/secrets/postgres"})
    mesh.start("--user", "1000")
    _ended_with_one_line(
        mesh, "solution.pgPassword: found the file /sp/secrets/postgres, which cannot be read: Permission denied"
    )
    assert ["configurations", "secrets"] == _made(mesh)


def test_too_little_room(mesh: Mesh) -> None:
    """A volume on which no database fits ends the container with an error that says so."""
    with _small_volume(mesh, 24):
        mesh.start()
        assert 0 != mesh.inside.wait(60)
        assert "disk is full" in mesh.inside.log().splitlines()[-1]


def test_a_volume_that_becomes_full(mesh: Mesh) -> None:
    """While nothing can be written the container lives, whatever it says; with room again, rounds go on."""
    with _small_volume(mesh, 400):
        mesh.start()
        mesh.until_healthy()
        mesh.until_rounds(1)
        filler = mesh.sp / "filler"
        with pytest.raises(OSError, match="No space left"):
            _fill(filler)
        before = mesh.rounds()
        wait_until("a service feels it", lambda: "No space left" in mesh.inside.log(), 60)
        filler.unlink()
        mesh.until_healthy(180)
        mesh.until_rounds(1)
        assert all(mesh.rounds()[name] > number for name, number in before.items())
        assert 0 == mesh.stop()


def _change(mesh: Mesh, change: dict[str, Any] | None) -> None:
    file = mesh.sp / "configurations/configuration.json"
    document = json.loads(file.read_text())
    file.write_text("{" if change is None else json.dumps({"solution": document["solution"] | change}))


def _made(mesh: Mesh) -> list[str]:
    return sorted(path.name for path in mesh.sp.iterdir())


def _fill(path: Path) -> None:
    with path.open("wb") as file:
        while True:
            file.write(bytes(1024 * 1024))
            file.flush()


def _give(directory: Path, user: int) -> None:
    for path in (directory, *directory.rglob("*")):
        os.chown(path, user, user)


def _ended_with_one_line(mesh: Mesh, words: str) -> None:
    assert 1 == mesh.inside.wait(30)
    lines = mesh.inside.log().splitlines()
    assert 1 == len(lines), lines
    assert words in lines[0]
    assert "running" not in podman("ps", "--format", "{{.Status}}", "--filter", f"name={mesh.inside.name}").stdout


@contextmanager
def _small_volume(mesh: Mesh, size_mb: int) -> Iterator[None]:
    """Put a file system of so many MB below the mesh's directory; the configuration lies on it."""
    kept = (mesh.sp / "configurations/configuration.json").read_bytes()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size_mb}m,mode=755", "tmpfs", mesh.sp], check=True)
    try:
        (mesh.sp / "configurations").mkdir()
        (mesh.sp / "configurations/configuration.json").write_bytes(kept)
        yield
    finally:
        mesh.remove()
        subprocess.run(["umount", "--lazy", mesh.sp], check=True)

"""The images, built once a run, and meshes in containers."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.image.mesh import DEVELOPMENT, PRODUCT, Mesh, start_outside
from tests.image.podman import Container, build, make_bases


@pytest.fixture(scope="session", name="images", autouse=True)
def _images() -> None:
    make_bases()
    build(PRODUCT, "feedmesh")
    build(DEVELOPMENT, "dev")


@pytest.fixture(scope="module", name="outside")
def _outside(images: None) -> Iterator[Container]:
    container = start_outside()
    yield container
    container.remove()


@pytest.fixture(name="mesh")
def _mesh(outside: Container) -> Iterator[Mesh]:
    """Give directories and a configuration; whatever was started is gone afterwards."""
    sp = Path(tempfile.mkdtemp(prefix="feedmesh-sp-", dir="/var/tmp"))
    sp.chmod(0o755)
    mesh = Mesh(sp, outside)
    mesh.configure()
    yield mesh
    mesh.remove()
    shutil.rmtree(sp)

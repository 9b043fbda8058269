"""The images, built once a run, and meshes in containers."""

from collections.abc import Iterator

import pytest

from tests.image.mesh import DEVELOPMENT, PRODUCT, Mesh, start_outside
from tests.image.podman import Container, build, make_bases
from tests.image.report import lines


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
    with Mesh.below_a_new_directory(outside) as mesh:
        mesh.configure()
        yield mesh


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what was measured."""
    if found := lines():
        terminalreporter.section("the image")
        for line in found:
            terminalreporter.write_line(line)

"""The image for developers: a whole network with a chain and a market of its own, in one command."""

import json

import pytest

from tests.image.mesh import DEVELOPMENT, FEEDS
from tests.image.podman import podman, run

pytestmark = pytest.mark.image


@pytest.mark.parametrize("options", [(), ("--user", "1000", "--cap-drop", "all")])
def test_one_command_is_a_network(options: tuple[str, ...]) -> None:
    """What the image does by itself makes rounds of three feeds, as root and as another user, and ends in order."""
    command = json.loads(podman("image", "inspect", "--format", "{{json .Config.Cmd}}", DEVELOPMENT).stdout)
    container = run(DEVELOPMENT, *command, "--rounds", "2", "--json", options=options)
    try:
        code = container.wait(300)
        report = json.loads(podman("logs", container.name).stdout.splitlines()[-1])
    finally:
        container.remove()
    assert (0, True) == (code, report["ok"]), report
    assert set(FEEDS) == {feed["name"] for feed in report["feeds"]}
    assert all(feed["rounds"] >= 2 for feed in report["feeds"])

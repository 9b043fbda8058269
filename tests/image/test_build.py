"""What is in the image, and that it is the same each time."""

import json
from pathlib import Path

import pytest

from cli.image import version
from tests.image.mesh import PRODUCT
from tests.image.podman import build, commit, once, podman
from tests.image.report import note

pytestmark = pytest.mark.image

MOST_MB = 750
# What the real program takes, where the image was built without it.
CHAINLINK_MB = 234
# Everything but times, which a builder sets when it writes the layers.
_TREE = """
import hashlib, os, stat, sys
for directory, names, files in os.walk(sys.argv[1]):
    for name in sorted(names) + sorted(files):
        path = os.path.join(directory, name)
        found = os.lstat(path)
        if stat.S_ISLNK(found.st_mode):
            content = os.readlink(path)
        elif stat.S_ISREG(found.st_mode):
            content = hashlib.sha256(open(path, "rb").read()).hexdigest()
        else:
            content = ""
        print(path, oct(found.st_mode), found.st_uid, found.st_gid, int(found.st_mtime), content)
"""


def test_its_size() -> None:
    """The image takes at most 750 MB, chainlink's program included."""
    size_mb = int(podman("image", "inspect", "--format", "{{.Size}}", PRODUCT).stdout) / 1e6
    chainlink_mb = int(once(PRODUCT, "stat", "-c", "%s", "/usr/local/bin/chainlink")) / 1e6
    whole_mb = size_mb if chainlink_mb > 1 else size_mb + CHAINLINK_MB
    note("size", f"{size_mb:.0f} MB, of which chainlink {chainlink_mb:.0f} MB")
    assert whole_mb <= MOST_MB


def test_what_it_tells_of_itself() -> None:
    """Labels and `feedmesh version` name this commit; the code in it is this tree's."""
    labels = json.loads(podman("image", "inspect", "--format", "{{json .Labels}}", PRODUCT).stdout)
    told = json.loads(once(PRODUCT, "feedmesh", "version", "--json"))

    assert {"version": labels["org.opencontainers.image.version"], "commit": commit()} == {
        name: told[name] for name in ("version", "commit")
    }
    assert commit() == labels["org.opencontainers.image.revision"]
    assert version.code_digest(version.directories()) == told["code"]


def test_no_tools() -> None:
    """Neither a compiler nor an installer is in it, and no simulated chain."""
    programs = "gcc cc ld as make pip pip3 uv npm node anvil"
    assert "" == once(PRODUCT, "sh", "-c", f"for program in {programs}; do command -v $program; done; true")


def test_no_simulators() -> None:
    """The product has no devkit to import."""
    found = once(
        PRODUCT, "python3", "-c", "import importlib.util as u; print(u.find_spec('devkit'), u.find_spec('pip'))"
    )
    assert "None None\n" == found


def test_its_bill_of_materials(tmp_path: Path) -> None:
    """The bill names every package of dpkg and of Python that is in the image, by version, and no other."""
    build("feedmesh-sbom", "sbom", "--output", f"type=local,dest={tmp_path}")
    bill = json.loads((tmp_path / "feedmesh.cdx.json").read_text())
    named = {each["purl"] for each in bill["components"]}
    debian = once(PRODUCT, "dpkg-query", "-W", "-f", "pkg:deb/debian/${Package}@${Version}?arch=${Architecture}\n")
    listed = (
        "from importlib import metadata as m\n"
        "import re\n"
        "for d in m.distributions():\n"
        "    name = re.sub('[-_.]+', '-', d.name).lower()\n"
        "    if name != 'feedmesh': print(f'pkg:pypi/{name}@{d.version}')\n"
    )
    python = once(PRODUCT, "python3", "-I", "-c", listed)
    expected = {*debian.splitlines(), *python.splitlines()}

    note("bill of materials", f"{len(named)} components")
    assert ("CycloneDX", "1.6") == (bill["bomFormat"], bill["specVersion"])
    assert expected == {purl for purl in named if not purl.startswith("pkg:generic/")}
    assert {"chainlink"} == {each["name"] for each in bill["components"] if each["type"] == "application"}
    assert all(each["properties"] for each in bill["components"] if each["purl"].startswith("pkg:pypi/"))


def test_two_builds_give_the_same_files() -> None:
    """What is made of our code and the lock file has the same files, modes, owners and times when it is made again."""
    trees = []
    for turn in ("1", "2"):
        build(f"feedmesh-again-{turn}", "wheels", "--build-arg", f"REBUILD={turn}")
        trees.append(once(f"localhost/feedmesh-again-{turn}", "python3", "-c", _TREE, "/opt/feedmesh"))
    assert trees[0].count("\n") > 1000
    assert [] == sorted({*trees[0].splitlines()} ^ {*trees[1].splitlines()})

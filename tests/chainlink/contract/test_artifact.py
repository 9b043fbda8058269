"""The committed artifacts and their loader."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from pathlib import Path

import pytest

from chainlink.contract.artifact import UnknownArtifact, load, names
from devkit.chain.binary import CHECKOUT

CONTRACTS = CHECKOUT / "contracts"
ARTIFACTS = CHECKOUT / "chainlink" / "contract" / "artifacts"

# A machine may do without npm: only who changes a contract needs the compiler.
needs_compiler = pytest.mark.skipif(
    shutil.which("node") is None or not (CHECKOUT / "node_modules" / "solc").exists(), reason="needs node and solc"
)


def test_load() -> None:
    """An artifact has an interface and code, made by the pinned compiler."""
    artifact = load("OffchainAggregator")

    assert "OffchainAggregator" == artifact.name
    assert artifact.compiler.startswith("0.8.30+")
    assert 20_000 < len(artifact.deployed_bytecode) < len(artifact.bytecode)
    assert "constructor" in {entry["type"] for entry in artifact.abi}


@pytest.mark.parametrize("name", ["Nothing", "../package", "offchainaggregator", ""])
def test_unknown(name: str) -> None:
    """A name that was not compiled is refused with the names there are."""
    with pytest.raises(UnknownArtifact) as refused:
        load(name)

    assert "OffchainAggregator" in str(refused.value)
    assert repr(name) in str(refused.value)


@pytest.mark.parametrize("name", names())
def test_made_from_these_sources(name: str) -> None:
    """Every artifact names the sources as they are now; whether the code follows from them, `make check` compiles."""
    content = json.loads((ARTIFACTS / f"{name}.json").read_text())

    found = {file: hashlib.sha256((CONTRACTS / file).read_bytes()).hexdigest() for file in content["sources"]}

    assert content["sources"] == found


@needs_compiler
def test_check_refuses_changed_source(tmp_path: Path) -> None:
    """The compiler script's check fails, and says what to do, when a source is newer than its artifact."""
    shutil.copytree(CONTRACTS, tmp_path / "contracts")
    shutil.copytree(ARTIFACTS, tmp_path / "chainlink" / "contract" / "artifacts")
    (tmp_path / "node_modules").symlink_to(CHECKOUT / "node_modules")
    with (tmp_path / "contracts" / "Owned.sol").open("a") as source:
        source.write("// a change\n")

    done = _compile(tmp_path, "--check")

    assert 1 == done.returncode
    assert "OffchainAggregator.json was made from another Owned.sol" in done.stderr
    assert "LinkStub" not in done.stderr
    assert "node contracts/compile.js" in done.stderr


@needs_compiler
def test_check_without_compiler(tmp_path: Path) -> None:
    """Without the compiler package the script says how to get it."""
    shutil.copytree(CONTRACTS, tmp_path / "contracts")

    done = _compile(tmp_path, "--check")

    assert (1, True) == (done.returncode, "npm ci" in done.stderr)


@needs_compiler
def test_unknown_argument(tmp_path: Path) -> None:
    """An unknown argument is named, and nothing is written."""
    shutil.copytree(CONTRACTS, tmp_path / "contracts")

    done = _compile(tmp_path, "--chekc")

    assert (1, True) == (done.returncode, "--chekc" in done.stderr)
    assert not (tmp_path / "chainlink").exists()


def _compile(root: Path, argument: str) -> subprocess.CompletedProcess[str]:
    command = ["node", str(root / "contracts" / "compile.js"), argument]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=100)

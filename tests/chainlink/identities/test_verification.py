"""Whether key files are whole."""

import shutil
from pathlib import Path

import pytest

from chainlink.identities import key_files
from chainlink.identities.verification import verify

VECTORS = Path(__file__).parents[2] / "vectors" / "keys"
PASSWORD = "a-keystore-password-of-30-char"


@pytest.fixture(name="directories")
def _directories(tmp_path: Path) -> dict[int, Path]:
    """Give the keys of a bootstrap node and two oracles."""
    directories = {index: tmp_path / str(index) for index in (1, 2, 3)}
    for index, directory in directories.items():
        key_files.ensure(directory, PASSWORD, 2, with_ocr=index > 1)
    return directories


def problems(directories: dict[int, Path], password: str = PASSWORD) -> dict[str, str]:
    """Return what is wrong by node and file."""
    found = verify(directories, 1, password)
    return {f"{each.index}/{each.path.name}": each.problem for each in found if each.problem}


def test_whole_files_have_no_problem(directories: dict[int, Path]) -> None:
    """Two files of the bootstrap node and three of each oracle are named with their keys."""
    found = verify(directories, 1, PASSWORD)

    assert [2, 3, 3] == [sum(each.index == index for each in found) for index in (1, 2, 3)]
    assert {""} == {each.problem for each in found}
    assert all(each.key_id for each in found)


def test_every_fault_is_found_at_once(directories: dict[int, Path]) -> None:
    """Missing, damaged, open and shared files, and raw keys that are other keys, are all named in one run."""
    (directories[1] / "evm_key.json").unlink()
    (directories[1] / "p2p_key.json").write_text("{}")
    (directories[2] / "evm_key.json").chmod(0o640)
    shutil.copy(directories[2] / "p2p_key.json", directories[3])
    shutil.copy(VECTORS / "keys-raw.json", directories[3])
    (directories[3] / "keys-raw.json").chmod(0o644)
    found = problems(directories)

    assert {
        "1/evm_key.json": "is missing",
        "1/p2p_key.json": "crypto: not an object",
        "2/evm_key.json": "others can read it (mode 0640), allowed: 0600",
        "3/keys-raw.json": "others can read it (mode 0644), allowed: 0600",
        "3/evm_key.json": "keys-raw.json holds another key: 0xb2120143da57569d36558B36A532E3a96F5e43b3",
        "3/ocr_key.json": "keys-raw.json holds another key: "
        "8a7da57bc2c693142e0e50650b3b944043519d49797545f7dcc0b2e96fba8d1e",
    } == {name: problem for name, problem in found.items() if name != "3/p2p_key.json"}
    assert found["3/p2p_key.json"].startswith("keys-raw.json holds another key")


def test_one_key_of_two_nodes_is_named(directories: dict[int, Path]) -> None:
    """A key that two nodes have is named at the second, with the first."""
    shutil.copy(directories[2] / "p2p_key.json", directories[3])

    assert {"3/p2p_key.json": f"is the same key as {directories[2] / 'p2p_key.json'}"} == problems(directories)


def test_a_wrong_password_is_every_files_problem(directories: dict[int, Path]) -> None:
    """With another password every file is named."""
    found = problems(directories, "another-password-16")

    assert 8 == len(found)
    assert all(problem.startswith("the password is wrong") for problem in found.values())

"""Where the cluster and the programs lie."""

import subprocess
from pathlib import Path

import pytest

from services.dbinit.cluster import account, binaries, place, run_as
from services.dbinit.cluster.account import Account
from services.dbinit.cluster.place import Place
from services.dbinit.errors import BootstrapBusy, PlaceUnusable
from tests.dbinit.conftest import needs_root


@pytest.fixture(name="somebody")
def _somebody() -> Account:
    """Give the user PostgreSQL would run as on this machine."""
    chosen = account.choose(None, None)
    assert chosen is not None
    return chosen


@needs_root
def test_closed_home_is_named(directory: Path, somebody: Account) -> None:
    """A data directory below one the server's user cannot enter is refused by the name of that one."""
    home = directory / "home"
    home.mkdir(mode=0o700)
    with pytest.raises(PlaceUnusable) as caught:
        place.prepare(Place(home / "data/postgresql"), somebody)

    assert home == caught.value.path
    assert "solution.mesh.dataDir" in str(caught.value)


@needs_root
def test_directories_we_make_can_be_passed(directory: Path, somebody: Account) -> None:
    """What we make on the way to the cluster can be passed through, but not read, by its user."""
    target = Place(directory / "data/postgresql")
    place.prepare(target, somebody)

    assert {0o711} == {path.stat().st_mode & 0o777 for path in (target.path, target.path.parent)}


def test_a_file_in_the_way(directory: Path) -> None:
    """A data directory below a file cannot be made."""
    (directory / "file").write_text("")
    with pytest.raises(OSError, match="Not a directory"):
        place.prepare(Place(directory / "file/postgresql"), None)


@needs_root
def test_programs_in_a_closed_directory_are_copied_once(
    directory: Path, programs_copy: Path, somebody: Account
) -> None:
    """Programs the server's user cannot reach are copied to where it can run them, once a version."""
    target = Place(directory / "data/postgresql")
    place.prepare(target, somebody)
    (directory / "programs").chmod(0o700)
    programs = binaries.find(programs_copy)
    first = place.within_reach(programs, somebody, target)
    inode = first.postgres.stat().st_ino
    second = place.within_reach(programs, somebody, target)

    assert target.path / f"programs-{programs.version}/bin" == first.bin_dir
    assert (first, inode) == (second, second.postgres.stat().st_ino)
    version = run_as.command(somebody.identity, [str(first.postgres), "--version"])
    assert programs.version in subprocess.run(version, capture_output=True, text=True, check=True).stdout


@needs_root
def test_reachable_programs_are_not_copied(directory: Path, programs_copy: Path, somebody: Account) -> None:
    """Programs the server's user can run stay where they are."""
    target = Place(directory / "data/postgresql")
    place.prepare(target, somebody)

    assert programs_copy == place.within_reach(binaries.find(programs_copy), somebody, target).bin_dir
    assert [] == list(target.path.iterdir())


@needs_root
def test_programs_without_their_libraries_beside(directory: Path, programs_copy: Path, somebody: Account) -> None:
    """Unreachable programs whose libraries do not lie beside them are refused with a way out."""
    target = Place(directory / "data/postgresql")
    place.prepare(target, somebody)
    programs = binaries.find(programs_copy)
    (directory / "programs/share").rename(directory / "elsewhere")
    (directory / "programs").chmod(0o700)

    with pytest.raises(PlaceUnusable, match="do not lie beside it"):
        place.within_reach(programs, somebody, target)


def test_one_at_a_time(directory: Path) -> None:
    """A second process that wants to make the cluster is turned away."""
    target = Place(directory)
    with place.hold(target), pytest.raises(BootstrapBusy), place.hold(target):
        pass


def test_leftovers_are_removed(directory: Path) -> None:
    """What a killed predecessor left half-made is removed, and nothing else."""
    target = Place(directory)
    (target.temporary(target.data) / "half").write_text("")
    (directory / "superuser-password.tmp-x").write_text("")
    target.superuser_password.write_text("secret")
    target.data.mkdir()
    with place.hold(target):
        left = {path.name for path in directory.iterdir()}

    assert {"data", "superuser-password"} == left

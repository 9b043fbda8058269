"""A directory that is ours alone."""

import os
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from meshkit.process.own_directory import DirectoryNotOurs, check, close_mounts, is_ours

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can make what is another user's")
OTHER = 54_321


def test_what_we_have_made_is_ours(run_dir: Path) -> None:
    """Below a directory in which everybody may make some, of which only the owner may rename his."""
    path = run_dir / "run"
    path.mkdir(mode=0o750)
    check(path)

    assert stat.S_ISVTX & run_dir.parent.stat().st_mode
    assert is_ours(path)


def test_what_is_not_there_is_nobodys(run_dir: Path) -> None:
    """Nothing is made by looking."""
    with pytest.raises(FileNotFoundError):
        check(run_dir / "run")
    assert not is_ours(run_dir / "run")


def link(path: Path) -> None:
    """Have a link there to a directory of ours."""
    path.rename(path.with_name("elsewhere"))
    path.symlink_to(path.with_name("elsewhere"))


def file(path: Path) -> None:
    """Have a file there."""
    path.rmdir()
    path.touch()


def others_above(path: Path) -> None:
    """Let everybody rename what is above."""
    path.parent.chmod(0o777)


def group_above(path: Path) -> None:
    """Let a group that is not ours rename what is above."""
    os.chown(path.parent, -1, OTHER)
    path.parent.chmod(0o770)


def foreign_above(path: Path) -> None:
    """Give away what is above."""
    os.chown(path.parent, OTHER, -1)


def link_above(path: Path) -> None:
    """Reach the directory through a link of somebody else, who can point it elsewhere."""
    above = path.parent
    above.rename(above.with_name("real"))
    above.symlink_to("real")
    os.lchown(above, OTHER, OTHER)


def weak_target_above(path: Path) -> None:
    """Reach the directory through a link of ours, below whose target everybody renames what he likes."""
    above = path.parent
    weak = above.with_name("weak")
    weak.mkdir()
    above.rename(weak / "real")
    weak.chmod(0o777)
    above.symlink_to("weak/real")


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (link, "it is a link"),
        (file, "it is not a directory"),
        (lambda path: path.chmod(0o770), "it can be written by others (mode 0770)"),
        (lambda path: path.chmod(0o757), "it can be written by others (mode 0757)"),
        (others_above, "/above can be written by others"),
        pytest.param(lambda path: os.chown(path, OTHER, -1), f"it belongs to user {OTHER}, not to 0", marks=needs_root),
        pytest.param(group_above, "/above can be written by others", marks=needs_root),
        pytest.param(foreign_above, f"/above belongs to user {OTHER}", marks=needs_root),
        pytest.param(link_above, f"/above belongs to user {OTHER}", marks=needs_root),
        (weak_target_above, "/weak can be written by others"),
    ],
)
def test_what_others_could_change_is_refused(run_dir: Path, spoil: Callable[[Path], object], words: str) -> None:
    """The error names the directory, the place that is weak and why, and what to do."""
    path = run_dir / "above/run"
    path.mkdir(parents=True, mode=0o700)
    path.parent.chmod(0o700)
    spoil(path)
    with pytest.raises(DirectoryNotOurs) as caught:
        check(path, "solution.mesh.runDir")

    assert str(caught.value).startswith(f"solution.mesh.runDir {path} is not safe from others: ")
    assert words in str(caught.value)
    assert not is_ours(path)


def test_a_link_of_ours_on_the_way_is_no_weakness(run_dir: Path) -> None:
    """As /var/run is a link of root's to /run."""
    (run_dir / "real/run").mkdir(parents=True)
    (run_dir / "way").symlink_to("real")

    check(run_dir / "way/run")


_DEFAULT = """
import os
from meshkit.paths import default_run_dir
os.setgroups([]); os.setresgid(54321, 54321, 54321); os.setresuid(54321, 54321, 54321)
try:
    print(default_run_dir())
except Exception as error:
    print(type(error).__name__, error)
"""


@needs_root
@pytest.mark.parametrize("owner", [None, 54_321, 0])
def test_the_default_of_an_ordinary_user_is_refused_if_another_made_it(run_dir: Path, owner: int | None) -> None:
    """Without a directory of the session it is below the temporary one, and ours, or missing, or refused."""
    run_dir.chmod(0o1777)
    path = run_dir / "feedmesh-54321"
    if owner is not None:
        path.mkdir(mode=0o755)
        os.chown(path, owner, owner)
    environment = {"PATH": os.environ["PATH"], "TMPDIR": str(run_dir), "PYTHONPATH": os.pathsep.join(sys.path)}
    ran = subprocess.run([sys.executable, "-c", _DEFAULT], env=environment, capture_output=True, text=True)

    refusal = f"DirectoryNotOurs {path} is not safe from others: it belongs to user 0"
    said = refusal if owner == 0 else f"{path}\n"
    assert ran.stdout.startswith(said), ran.stderr


@pytest.fixture(name="volume")
def _volume(run_dir: Path) -> Iterator[Path]:
    """Mount a directory as orchestrators do: root's, for everybody to write, without a sticky bit."""
    path = run_dir / "volume"
    path.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=777", "tmpfs", path], check=True)
    yield path
    subprocess.run(["umount", path], check=True)


@needs_root
def test_the_first_process_of_a_container_closes_what_was_mounted(volume: Path) -> None:
    """What an orchestrator has mounted gets the bit by which only its owner renames a file; then it is ours."""
    (volume / "run").mkdir(mode=0o750)
    with pytest.raises(DirectoryNotOurs, match="can be written by others"):
        check(volume / "run")
    check(volume / "run", first_process=True)  # as another user it could not be closed

    close_mounts(volume / "run")
    assert 0o1777 == stat.S_IMODE(volume.stat().st_mode)
    check(volume / "run")


@needs_root
def test_the_first_process_trusts_nothing_but_what_was_mounted(volume: Path) -> None:
    """A directory in the volume that everybody may write is nobody's own, whoever looks, and stays as it is."""
    (volume / "open/run").mkdir(parents=True)
    (volume / "open").chmod(0o777)
    close_mounts(volume / "open/run")

    assert 0o777 == stat.S_IMODE((volume / "open").stat().st_mode)
    with pytest.raises(DirectoryNotOurs, match="can be written by others"):
        check(volume / "open/run", first_process=True)

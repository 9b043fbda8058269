"""Clusters: made once and whole, or refused with a way out."""

import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from random import Random

import pytest

from services.dbinit.bootstrap import bootstrap
from services.dbinit.cluster import account, cluster
from services.dbinit.cluster.place import Place
from services.dbinit.config import Settings
from services.dbinit.errors import ClusterUnusable, PlaceUnusable, ProgramFailed
from tests.dbinit.cluster.test_binaries import fake_programs
from tests.dbinit.conftest import MakeSettings, needs_root
from tests.dbinit.server import settings_in


@pytest.fixture(name="place")
def _place(directory: Path) -> Place:
    """Give a place with the traces of a cluster of ours, as far as they are looked at."""
    place = Place(directory)
    (place.data / "global").mkdir(parents=True)
    (place.data / "global/pg_control").write_text("")
    (place.data / "PG_VERSION").write_text("17\n")
    place.superuser_password.write_text("secret\n")
    return place


def bootstrap_command(settings: Settings) -> list[str]:
    """Return the command of a process that makes the cluster and does nothing else."""
    script = f"""
from pathlib import Path
from meshkit.paths import RunDir
from services.dbinit.bootstrap import bootstrap
from services.dbinit.cluster.place import Place
from tests.dbinit.server import settings_in
bootstrap(settings_in(Path({str(settings.run_dir.path.parent)!r}), port={settings.port}))
"""
    return [sys.executable, "-c", script]


def test_ours_is_known(place: Place) -> None:
    """A cluster of version 17 that belongs to us exists."""
    assert cluster.exists(place, None)


def test_empty_directory_is_no_cluster(directory: Path) -> None:
    """Neither a missing nor an empty directory is a cluster."""
    place = Place(directory)
    missing = cluster.exists(place, None)
    place.data.mkdir()

    assert (False, False) == (missing, cluster.exists(place, None))


def test_other_version_is_refused(place: Place) -> None:
    """A cluster of another major version is refused by its version, with the way to convert it."""
    (place.data / "PG_VERSION").write_text("16\n")

    with pytest.raises(ClusterUnusable, match=r"PostgreSQL 16, but this is 17\. Way out: .*pg_upgrade"):
        cluster.exists(place, None)


@pytest.mark.parametrize("lost", ["PG_VERSION", "global/pg_control"])
def test_half_a_cluster_is_refused(lost: str, place: Place) -> None:
    """A directory with something in it that is no whole cluster is left alone."""
    (place.data / lost).unlink()

    with pytest.raises(ClusterUnusable, match="not a whole cluster"):
        cluster.exists(place, None)


@needs_root
def test_foreign_cluster_is_refused(place: Place) -> None:
    """A cluster of another user is refused by both user ids."""
    os.chown(place.data, 12345, 12345)
    somebody = account.of_uid(54321)

    with pytest.raises(ClusterUnusable, match=r"belongs to user id 12345, .* user id 54321"):
        cluster.exists(place, somebody)


def test_lost_password_is_noticed(place: Place) -> None:
    """A cluster without its superuser's password is refused before anything starts."""
    place.superuser_password.unlink()

    with pytest.raises(ClusterUnusable, match="superuser-password"):
        cluster.exists(place, None)


def test_failed_initdb_says_why_and_leaves_nothing(make_settings: MakeSettings, directory: Path) -> None:
    """What initdb said reaches the error, and no half-made directory stays."""
    bin_dir = fake_programs(directory / "bin", "echo 'postgres (PostgreSQL) 17.3'")
    (bin_dir / "initdb").write_text("#!/bin/sh\necho 'initdb: error: the moon is full'\nexit 3\n")
    settings = make_settings(bin_dir=bin_dir)
    with pytest.raises(ProgramFailed, match="code 3 and said: initdb: error: the moon is full"):
        bootstrap(settings)

    assert [] == list(settings.place.path.iterdir())


def test_unwritable_data_directory(make_settings: MakeSettings, directory: Path) -> None:
    """A data directory that cannot be made is named in the error, with the setting that chooses it."""
    (directory / "file").write_text("")

    with pytest.raises(PlaceUnusable, match=r"file.*Not a directory.*solution\.mesh\.dataDir"):
        bootstrap(make_settings(place=Place(directory / "file/postgresql")))


@needs_root
def test_full_disk(make_settings: MakeSettings, small_disk: Path) -> None:
    """A disk too small for a cluster gives an error that says so, and nothing is left on it but directories."""
    (small_disk / "ballast").write_bytes(bytes(100 * 2**20))
    with pytest.raises(PlaceUnusable, match="the disk is full"):
        bootstrap(make_settings(place=Place(small_disk / "postgresql")))

    assert [small_disk / "ballast"] == [path for path in small_disk.rglob("*") if path.is_file()]


def survive_kills(directory: Path, clusters: int) -> int:
    """Make clusters, each with three kills at any instant before; return how often a kill left none."""
    seed = Random().getrandbits(32)
    print(f"seed {seed}")
    random = Random(seed)
    absent = 0
    for number in range(clusters):
        attempt = directory / str(number)
        attempt.mkdir(mode=0o755)
        settings = settings_in(attempt)
        for _ in range(3):
            process = subprocess.Popen(bootstrap_command(settings), stdout=subprocess.DEVNULL)
            with suppress(subprocess.TimeoutExpired):
                process.wait(random.uniform(0, 1.5))
            process.kill()
            process.wait()
            # Raises if there is half a cluster.
            absent += not cluster.exists(settings.place, account.choose(None, cluster.owner_of(settings.place)))
        bootstrap(settings)

        assert not bootstrap(settings).created
        assert [] == list(settings.place.path.glob("*.tmp-*"))
        assert 0o600 == settings.place.superuser_password.stat().st_mode & 0o777
        assert 0o700 == settings.place.data.stat().st_mode & 0o777
        shutil.rmtree(attempt)
    return absent


def test_killed_while_making(make_settings: MakeSettings) -> None:
    """After SIGKILL in the middle of initdb there is no cluster; the next attempt makes a whole one, and cleans up."""
    settings = make_settings()
    process = subprocess.Popen(bootstrap_command(settings))
    deadline = time.monotonic() + 30
    while not list(settings.place.path.glob("data.tmp-*/cluster/base")):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    half_made = settings.place.data.exists()
    made = bootstrap(settings)

    assert (False, True) == (half_made, made.created)
    assert [] == list(settings.place.path.glob("*.tmp-*"))


def test_killed_at_any_instant(directory: Path) -> None:
    """Whenever the process is killed, the cluster is whole or absent, and a later attempt finds it or makes it."""
    survive_kills(directory, 1)


@pytest.mark.campaign
def test_killed_at_any_instant_again_and_again(directory: Path) -> None:
    """The same for a hundred clusters; some kills come before the end, some after it."""
    assert 30 < survive_kills(directory, 100) < 300

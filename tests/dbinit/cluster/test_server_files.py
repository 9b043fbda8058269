"""The text of the server's two files."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.dbinit.cluster.memory_sizes import sizes
from services.dbinit.cluster.server_files import (
    ServerSettings,
    access_text,
    fitting_socket_directory,
    settings_text,
)

SETTINGS = ServerSettings(
    port=5432,
    data_directory=Path("/data"),
    access_rules=Path("/pg_hba.conf"),
    socket_directory=Path("/socket"),
    max_connections=1000,
    synchronous_commit=True,
    sizes=sizes(2**33, 1000),
)


def test_values_are_quoted() -> None:
    """A quote or a backslash in a path stays a character of the path."""
    text = settings_text(replace(SETTINGS, data_directory=Path("/it's\\here")))

    assert r"data_directory = '/it''s\\here'" in text.splitlines()


@pytest.mark.parametrize(("wanted", "line"), [(True, "synchronous_commit = on"), (False, "synchronous_commit = off")])
def test_synchronous_commit_is_a_setting_and_fsync_is_not(wanted: bool, line: str) -> None:
    """Only synchronous_commit follows the configuration; fsync stays on."""
    lines = settings_text(replace(SETTINGS, synchronous_commit=wanted)).splitlines()

    assert line in lines
    assert "fsync = on" in lines


def test_no_socket_directory() -> None:
    """Without a directory for it the server has no Unix socket."""
    assert "unix_socket_directories = ''" in settings_text(replace(SETTINGS, socket_directory=None)).splitlines()


def test_every_rule_asks_for_a_password() -> None:
    """No line of the access rules lets anybody in without scram, and none admits another host."""
    rules = [line.split() for line in access_text().splitlines() if not line.startswith("#")]

    assert {"scram-sha-256"} == {rule[-1] for rule in rules}
    assert {"127.0.0.1/32"} == {rule[3] for rule in rules if rule[0] == "host"}
    assert {"local", "host"} == {rule[0] for rule in rules}


@given(st.text(alphabet="aä", min_size=1, max_size=150))
def test_socket_path_limit(name: str) -> None:
    """A directory is taken exactly if the socket's path in it has at most 107 bytes."""
    directory = Path("/") / name
    fits = len(f"/{name}/.s.PGSQL.65535".encode()) <= 107

    assert (directory if fits else None) == fitting_socket_directory(directory, 65535)

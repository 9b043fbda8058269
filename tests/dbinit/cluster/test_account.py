"""The choice of the user."""

import os
import pwd

import pytest

from services.dbinit.cluster import account
from services.dbinit.errors import AccountUnusable

NOBODY = pwd.getpwnam("nobody")


@pytest.fixture(name="as_root")
def _as_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)


@pytest.fixture(name="as_nobody")
def _as_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: NOBODY.pw_uid)


@pytest.mark.usefixtures("as_nobody")
@pytest.mark.parametrize("configured", [None, "nobody"])
def test_ordinary_user_stays(configured: str | None) -> None:
    """An ordinary user runs PostgreSQL as itself."""
    assert account.choose(configured, None) is None


@pytest.mark.usefixtures("as_nobody")
def test_ordinary_user_cannot_become_another() -> None:
    """An ordinary user with another one configured is told so."""
    with pytest.raises(AccountUnusable, match="only root may"):
        account.choose("root", None)


@pytest.mark.usefixtures("as_root")
def test_root_gives_up_being_root() -> None:
    """Root chooses an unprivileged user by itself."""
    chosen = account.choose(None, None)

    assert chosen is not None
    assert chosen.identity.uid != 0
    assert 0 not in chosen.identity.groups


@pytest.mark.usefixtures("as_root")
def test_configured_user_counts() -> None:
    """The configured user is taken, with its group."""
    chosen = account.choose("nobody", 12345)

    assert chosen is not None
    assert ("nobody", NOBODY.pw_uid, NOBODY.pw_gid) == (chosen.name, chosen.identity.uid, chosen.identity.gid)


@pytest.mark.usefixtures("as_root")
def test_cluster_keeps_its_owner() -> None:
    """Without a configured user an existing cluster's owner runs it, even one without a name."""
    chosen = account.choose(None, 54321)

    assert chosen is not None
    assert 54321 == chosen.identity.uid


@pytest.mark.usefixtures("as_root")
@pytest.mark.parametrize(("name", "why"), [("root", "refuses to run as root"), ("no-such-user", "no such user")])
def test_unusable_user(name: str, why: str) -> None:
    """Root itself and an unknown user are refused by the name of the setting."""
    with pytest.raises(AccountUnusable, match=rf"solution\.mesh\.postgres\.user '{name}': .*{why}"):
        account.choose(name, None)

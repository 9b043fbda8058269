"""Which user PostgreSQL runs as: it refuses to be root, and as an ordinary user there is no choice."""

import grp
import os
import pwd
from dataclasses import dataclass

from services.dbinit.cluster.run_as import Identity
from services.dbinit.errors import AccountUnusable

# In this order; the second is what a machine without PostgreSQL's own package has.
_CANDIDATES = ("postgres", "nobody")


@dataclass(frozen=True, slots=True)
class Account:
    """The unprivileged user that owns the cluster and runs the server."""

    name: str
    identity: Identity


def choose(configured: str | None, cluster_owner: int | None) -> Account | None:
    """
    Return the user PostgreSQL should run as, or None to run it as ourselves because we are not root.

    `cluster_owner` is the user id an existing cluster belongs to: without a configured user it stays with its owner,
    whatever users the machine has got since. Raises AccountUnusable.
    """
    if (own := os.geteuid()) != 0:
        if configured is not None and _entry(configured).pw_uid != own:
            raise AccountUnusable(configured, f"only root may run PostgreSQL as another user; we are user id {own}")
        return None
    if configured is not None:
        entry = _entry(configured)
        if entry.pw_uid == 0:
            raise AccountUnusable(configured, "PostgreSQL refuses to run as root; name an unprivileged user")
        return _account(entry)
    if cluster_owner:
        return of_uid(cluster_owner)
    for name in _CANDIDATES:
        try:
            return _account(pwd.getpwnam(name))
        except KeyError:
            continue
    raise AccountUnusable("absent", f"this machine has none of the users {', '.join(_CANDIDATES)}; name one")


def of_uid(uid: int) -> Account:
    """Return the account of a user id, also if the machine has no name for it."""
    try:
        return _account(pwd.getpwuid(uid))
    except KeyError:
        return Account(str(uid), Identity(uid, uid, ()))


def _entry(name: str) -> pwd.struct_passwd:
    try:
        return pwd.getpwnam(name)
    except KeyError:
        raise AccountUnusable(name, "this machine has no such user") from None


def _account(entry: pwd.struct_passwd) -> Account:
    groups = {entry.pw_gid, *(group.gr_gid for group in grp.getgrall() if entry.pw_name in group.gr_mem)}
    # Membership in root's group would open files that are none of the database's business.
    return Account(entry.pw_name, Identity(entry.pw_uid, entry.pw_gid, tuple(sorted(groups - {0}))))

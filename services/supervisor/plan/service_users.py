"""
A user of its own for each service, where the host has accounts for them, as the image has.

Every service gets a directory of its own in the run directory, `<run>/<service>.d`, with its copy of the configuration
and its socket; `<run>/<name>.sock` becomes a link to that socket. The mesh's services share the group `feedmesh`, which
lets them call each other; a node is in no group but its own, so it reaches neither their sockets nor its neighbours'.
A node reads copies of the files that the operator makes, since the originals are the operator's, as the keys are. Its
socket lies in `<run>/<service>.rpc`, apart from those files: a directory of the metrics service's own group, as that
service asks each node how its rounds go, and of the others nobody has to.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from meshkit.configuration.keys_by_service import AGGREGATOR, DBINIT, METRICS, OPERATOR, POSTGRES, ServiceKeys
from meshkit.paths import CONFIG_VARIABLE, DataDir, RunDir, SecretsDir
from services.supervisor.plan.service_spec import Copy, Directory, Identity, Link, ServiceSpec

GROUP: Final = "feedmesh"
_ACCOUNTS: Final = {
    "price-aggregator": "feedmesh-aggregator",
    "operator": "feedmesh-operator",
    "process-metrics": "feedmesh-metrics",
    "dbinit": "feedmesh-dbinit",
    "postgres-init": "feedmesh-dbinit",
    "postgres-bootstrap": "postgres",
    "postgres": "postgres",
    "market": "feedmesh-devkit",
    "devchain": "feedmesh-devkit",
}
# Who reads the configuration, and which keys of it. The server itself is started with what bootstrap has left for it.
CONFIGURATION_READERS: Final[Mapping[str, ServiceKeys]] = {
    "price-aggregator": AGGREGATOR,
    "operator": OPERATOR,
    "process-metrics": METRICS,
    "dbinit": DBINIT,
    "postgres-init": DBINIT,
    "postgres-bootstrap": POSTGRES,
}
_NODE: Final = "chainlink-node-"
# A node's files, as the operator writes them.
_NODE_FILES: Final = ("config.toml", "secrets.toml", "apicredentials")
_SHARED, _CLOSED, _OPEN = 0o2750, 0o700, 0o755


@dataclass(frozen=True, slots=True)
class Accounts:
    """Who services may run as: user and group id by the service's name, and the id of the group they share, if any."""

    users: Mapping[str, tuple[int, int]]
    group: int | None


NO_ACCOUNTS: Final = Accounts({}, None)


def node_name(index: int) -> str:
    """Return a node's service name."""
    return f"{_NODE}{index}"


def account_names(nodes: int) -> dict[str, str]:
    """Return the account of each service of a mesh with so many nodes."""
    return dict(_ACCOUNTS) | {node_name(index): f"feedmesh-node-{index}" for index in range(1, nodes + 1)}


def with_own_user(
    spec: ServiceSpec, accounts: Accounts, run_dir: RunDir, data_dir: DataDir, secrets_dir: SecretsDir
) -> ServiceSpec:
    """Return the service as one that runs as its own user; `accounts` has a user for it."""
    if spec.name.startswith(_NODE):
        return _node(spec, accounts, run_dir, data_dir)
    assert accounts.group is not None
    uid, gid = accounts.users[spec.name]
    own = run_dir.own(spec.name)
    copy = own / "configuration.json"
    directories = [Directory(own, _SHARED, accounts.group)]
    owned: list[Path] = []
    entered: list[Path] = []
    if spec.name == "operator":
        owned += [data_dir.operator, data_dir.nodes, secrets_dir.nodes]
        entered.append(secrets_dir.path)
    elif spec.name == "process-metrics":
        directories.append(Directory(run_dir.verdict.parent, _OPEN, gid))
    elif spec.name == "devchain":
        owned.append(data_dir.chain)
    elif spec.name in {"postgres-bootstrap", "postgres"}:
        # What is made there belongs to dbinit's group, so that dbinit can read the superuser's password.
        # The one leaves for the other how the server is to be started.
        directories.append(Directory(run_dir.postgres_launch.parent, _SHARED, accounts.group))
        directories.append(Directory(data_dir.postgres, 0o2751, accounts.users["dbinit"][1]))
    return replace(
        spec,
        # dbinit could not make a cluster for another user, so whoever the server will run as makes it.
        command=(*spec.command, "--here") if spec.name == "postgres-bootstrap" else spec.command,
        environment=_environment(spec, copy),
        identity=Identity(
            uid,
            gid,
            groups=(accounts.group,),
            directories=tuple(directories),
            owned=tuple(owned),
            entered=tuple(entered),
            copies=(Copy(run_dir.masked(spec.name), copy),) if spec.name in CONFIGURATION_READERS else (),
            links=tuple(Link(socket, f"{own.name}/{socket.name}") for socket in spec.sockets),
        ),
        leftovers=(*spec.leftovers, copy, *(own / socket.name for socket in spec.sockets)),
    )


def _environment(spec: ServiceSpec, configuration: Path) -> dict[str, str]:
    """Return the environment with the own copy of the configuration in the place of the common one."""
    if spec.name not in CONFIGURATION_READERS:
        return {name: value for name, value in spec.environment.items() if name != CONFIG_VARIABLE}
    return {**spec.environment, CONFIG_VARIABLE: str(configuration)}


def _node(spec: ServiceSpec, accounts: Accounts, run_dir: RunDir, data_dir: DataDir) -> ServiceSpec:
    index = int(spec.name.removeprefix(_NODE))
    uid, gid = accounts.users[spec.name]
    own, made, home = run_dir.own(spec.name), data_dir.node(index), data_dir.node_home(index)
    called = run_dir.called(spec.name)
    # Without an account of its own the metrics service is root.
    _, observers = accounts.users.get(METRICS.service, (0, gid))
    moved = {str(made / name): str(own / name) for name in _NODE_FILES}
    return replace(
        spec,
        command=tuple(moved.get(word, word) for word in spec.command),
        environment={name: value for name, value in spec.environment.items() if name != CONFIG_VARIABLE},
        identity=Identity(
            uid,
            gid,
            directories=(
                Directory(own, _CLOSED, gid),
                Directory(home, _CLOSED, gid),
                *((Directory(called, _SHARED, observers),) if spec.sockets else ()),
            ),
            copies=tuple(Copy(made / name, own / name) for name in _NODE_FILES),
            links=tuple(Link(socket, f"{called.name}/{socket.name}") for socket in spec.sockets),
        ),
        leftovers=(*spec.leftovers, *(own / name for name in _NODE_FILES), *(called / s.name for s in spec.sockets)),
    )

"""
The server's two files, written anew at every start: its settings and who may log in.

They lie outside the cluster and belong to us, so nobody who gets hold of the server can loosen them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from meshkit.paths import LONGEST_SOCKET_PATH
from services.dbinit.cluster.cluster import SUPERUSER
from services.dbinit.cluster.memory_sizes import Sizes

Value = str | int | bool


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """What the configuration and the machine decide about the server."""

    port: int
    data_directory: Path
    access_rules: Path
    socket_directory: Path | None
    max_connections: int
    synchronous_commit: bool
    sizes: Sizes


def fitting_socket_directory(directory: Path, port: int) -> Path | None:
    """Return the directory, or None if the socket's path in it would be longer than the kernel takes."""
    socket = directory / f".s.PGSQL.{port}"
    return directory if len(bytes(socket)) <= LONGEST_SOCKET_PATH else None


def settings_text(settings: ServerSettings) -> str:
    """Return the content of the server's configuration file."""
    values: dict[str, Value] = {
        "data_directory": str(settings.data_directory),
        "hba_file": str(settings.access_rules),
        "ident_file": str(settings.data_directory / "pg_ident.conf"),
        "cluster_name": "feedmesh",
        "allow_alter_system": False,
        # Reachable from this host only.
        "listen_addresses": "127.0.0.1",
        "port": settings.port,
        "unix_socket_directories": str(settings.socket_directory or ""),
        "unix_socket_permissions": "0700",
        "max_connections": settings.max_connections,
        "password_encryption": "scram-sha-256",
        "authentication_timeout": "10s",
        "ssl": False,
        "shared_buffers": f"{settings.sizes.shared_buffers_mb}MB",
        "work_mem": f"{settings.sizes.work_kb}kB",
        "maintenance_work_mem": f"{settings.sizes.maintenance_work_mb}MB",
        "effective_cache_size": f"{settings.sizes.effective_cache_mb}MB",
        # In containers that have a limit for them, their use ends the server with SIGBUS.
        "huge_pages": False,
        # Segments made while it runs, for the counters of tables mostly, lie in memory reserved at the start. Should
        # that not do, they are files below the cluster: /dev/shm, the usual place, may have 64 MB for all or be
        # read-only, and a full one ends a process with SIGBUS; a full disk gives an error. Parallel queries, which
        # would need many, no node has.
        "min_dynamic_shared_memory": "16MB",
        "dynamic_shared_memory_type": "mmap",
        "max_parallel_workers_per_gather": 0,
        "max_parallel_maintenance_workers": 0,
        "jit": False,
        # A node keeps its keys and the state that stops it from signing twice here: nothing committed may get lost.
        "fsync": True,
        "full_page_writes": True,
        "synchronous_commit": settings.synchronous_commit,
        # No replicas and no archive, so as little WAL as crash recovery needs.
        "wal_level": "minimal",
        "max_wal_senders": 0,
        "max_logical_replication_workers": 0,
        "archive_mode": False,
        "min_wal_size": "32MB",
        "max_wal_size": "256MB",
        "checkpoint_timeout": "10min",
        # Recovery begins by flushing the whole cluster. With 31 nodes that is 9,200 files, which one by one take three
        # times as long as the file system at once.
        "recovery_init_sync_method": "syncfs",
        # A crash of one of its processes ends the server: the supervisor restarts it within its budget and shows that.
        # The postmaster by itself would try for ever, against a full disk for instance.
        "restart_after_crash": False,
        # The supervisor keeps the logs.
        "log_destination": "stderr",
        "logging_collector": False,
        "log_line_prefix": "%m [%p] %q%u@%d ",
        "log_timezone": "UTC",
        "log_checkpoints": False,
        "timezone": "UTC",
        "datestyle": "iso, mdy",
        "lc_messages": "C",
        "lc_monetary": "C",
        "lc_numeric": "C",
        "lc_time": "C",
        "default_text_search_config": "pg_catalog.english",
    }
    return "# Written at every start; edit solution.pgPort and solution.mesh.postgres instead.\n" + _lines(values)


def access_text() -> str:
    """
    Return the content of the host-based authentication file: passwords always, and a role only into its namesake.

    `sameuser` is the second wall between the nodes, besides the CONNECT privilege on the databases.
    """
    rules = [
        f"local all {SUPERUSER} scram-sha-256",
        f"host all {SUPERUSER} 127.0.0.1/32 scram-sha-256",
        "local sameuser all scram-sha-256",
        "host sameuser all 127.0.0.1/32 scram-sha-256",
    ]
    return "# Written at every start. What no line allows is refused.\n" + "\n".join(rules) + "\n"


def _lines(values: Mapping[str, Value]) -> str:
    return "".join(f"{name} = {_quoted(value)}\n" for name, value in values.items())


def _quoted(value: Value) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, int):
        return str(value)
    return "'" + value.replace("\\", "\\\\").replace("'", "''") + "'"

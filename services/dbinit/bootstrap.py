"""Everything before the server can be started: programs, user, place, cluster, settings."""

import os
from dataclasses import dataclass
from pathlib import Path

from meshkit import atomic_file
from meshkit.log import get_logger
from meshkit.process import memory_limit
from services.dbinit.cluster import (
    account,
    binaries,
    cluster,
    memory_sizes,
    place,
    preflight,
    server_files,
    server_launch,
)
from services.dbinit.config import Settings
from services.dbinit.errors import ClusterUnusable, PlaceUnusable, from_os_error

_log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Bootstrapped:
    """What was found or made."""

    created: bool
    data_directory: Path
    version: str


def bootstrap(settings: Settings) -> Bootstrapped:
    """
    Make the cluster if it does not exist and write down how to start the server. Blocks for about a second.

    Raises the errors of `services.dbinit.errors`.
    """
    try:
        return _bootstrap(settings)
    except OSError as error:
        raise from_os_error(error, settings.place.path) from error


def _bootstrap(settings: Settings) -> Bootstrapped:
    programs = binaries.find(settings.bin_dir)
    user = account.choose(settings.user, cluster.owner_of(settings.place))
    place.prepare(settings.place, user)
    with place.hold(settings.place):
        programs = place.within_reach(programs, user, settings.place)
        created = not cluster.exists(settings.place, user)
        if created:
            cluster.make(programs, user, settings.place)
        elif obstacle := preflight.obstacle(settings.place.data):
            kind = ClusterUnusable if obstacle.exit_code == os.EX_DATAERR else PlaceUnusable
            raise kind(obstacle.path, obstacle.why, obstacle.way_out)
        socket_directory = server_files.fitting_socket_directory(settings.place.socket, settings.port)
        if socket_directory is None:
            _log.warning("socket_path_too_long", directory=str(settings.place.socket), consequence="TCP only")
        _write_server_files(settings, socket_directory)
        server_launch.write(
            server_launch.Launch(
                program=programs.postgres,
                data_directory=settings.place.data,
                settings_file=settings.place.server_settings,
                socket_directory=socket_directory,
                identity=None if user is None else user.identity,
            ),
            settings.run_dir,
        )
    _log.info(
        "cluster_ready",
        created=created,
        data_directory=str(settings.place.data),
        programs=str(programs.bin_dir),
        version=programs.version,
        user=None if user is None else user.name,
    )
    return Bootstrapped(created, settings.place.data, programs.version)


def _write_server_files(settings: Settings, socket_directory: Path | None) -> None:
    text = server_files.settings_text(
        server_files.ServerSettings(
            port=settings.port,
            data_directory=settings.place.data,
            access_rules=settings.place.access_rules,
            socket_directory=socket_directory,
            max_connections=settings.max_connections,
            synchronous_commit=settings.synchronous_commit,
            sizes=memory_sizes.sizes(memory_limit.available_bytes(), settings.max_connections),
        )
    )
    # Readable for the server's user, and without secrets.
    atomic_file.replace(settings.place.server_settings, text, 0o644)
    atomic_file.replace(settings.place.access_rules, server_files.access_text(), 0o644)

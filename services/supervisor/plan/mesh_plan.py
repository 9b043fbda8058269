"""Everything that follows from a configuration file, as plain values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from services.supervisor.config import Settings
from services.supervisor.plan.service_spec import ServiceSpec

# Below it stands the digest of each feed's template in `keys`.
TEMPLATES: Final = "solution.chainlinkFeedTemplatesDir"


@dataclass(frozen=True, slots=True)
class MeshPlan:
    """
    The services that a configuration file wants, and how they are supervised.

    `configuration` is the file's text as it was read; its copy in the run directory is what the services read, so that
    an edit of the file has no effect on a mesh that runs before it is applied. `keys` has a digest of each value in it.
    `feeds` has the address of each feed's contract, empty where the configuration gives none; `may_deploy` says whether
    such a feed gets one. `templates` counts the files of the job templates' directory, `nodes` the bootstrap nodes too.
    `without_effect` has the reason for each given key that changes nothing, by its place; `remarks` says what else is
    worth a word, `signature` what is known about the file's.
    `memory_shortage` says that there is too little memory, if there is.
    `group` is the id of the group of the services that may call the supervisor, where they have users of their own;
    then `masked` has for each such service the configuration with the secrets that it does not read masked.
    """

    settings: Settings
    services: tuple[ServiceSpec, ...]
    configuration: str = field(default="", repr=False)
    keys: Mapping[str, str] = field(default_factory=dict, repr=False)
    feeds: Mapping[str, str] = field(default_factory=dict)
    may_deploy: bool = False
    templates: int = 0
    nodes: int = 0
    bootstrap_nodes: int = 0
    without_effect: Mapping[str, str] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()
    signature: str = ""
    memory_shortage: str = ""
    group: int | None = None
    masked: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def has_users(self) -> bool:
        """Tell whether services run as users of their own, which must be able to enter the run directory."""
        return any(spec.identity is not None for spec in self.services)

    @property
    def configuration_copy(self) -> Path:
        """Return where the services read the configuration."""
        return self.settings.run_dir.configuration

    @property
    def ports(self) -> dict[int, str]:
        """Return every TCP port with the service that listens on it."""
        return {port: spec.name for spec in self.services for port in spec.ports}

    @property
    def files(self) -> list[Path]:
        """Return the files that a supervisor and its services leave in the run directory when they are killed."""
        files = [self.settings.run_dir.socket("supervisor"), self.configuration_copy]
        files += [self.settings.run_dir.masked(service) for service in self.masked]
        for spec in self.services:
            files += [*spec.sockets, *spec.leftovers]
        return files

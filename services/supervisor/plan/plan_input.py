"""Everything the plan depends on, read once: the configuration's values and what the host offers."""

import grp
import os
import pwd
import stat
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from meshkit.configuration import node_program
from meshkit.configuration.node_program import NodeRuntime
from meshkit.configuration.solution import Configuration, Solution
from meshkit.errors import InvalidInput
from meshkit.paths import DataDir, RunDir, SecretsDir
from meshkit.process import memory_limit
from services.supervisor.config import Settings
from services.supervisor.errors import InvalidPlan
from services.supervisor.plan.service_users import GROUP, NO_ACCOUNTS, Accounts, account_names, node_name

# What giving each service a user of its own takes, with the numbers of capabilities(7).
CAPABILITIES: Final = {"CHOWN": 0, "DAC_OVERRIDE": 1, "KILL": 5, "SETGID": 6, "SETUID": 7}


@dataclass(frozen=True, slots=True)
class PlanInput:
    """
    The configuration's values and what the host offers; `faucet_address` is empty without a chain of our own.

    `closed_directory` is one that other users cannot enter on the way to our Python or our code. `missing_capabilities`
    are those that root needs for users of their own and does not have, as in a container. `memory_bytes` is the
    machine's memory, or the limit around us. `runtimes` has the program of each node by its number, `chainlink` the
    path of Chainlink's.
    """

    configuration: Configuration
    run_dir: RunDir
    data_dir: DataDir
    secrets_dir: SecretsDir
    runtimes: Mapping[int, NodeRuntime]
    python: str
    environment: Mapping[str, str]
    faucet_address: str = ""
    is_root: bool = False
    accounts: Accounts = NO_ACCOUNTS
    closed_directory: str = ""
    missing_capabilities: tuple[str, ...] = ()
    memory_bytes: int = 0
    chainlink: str = ""


def gather(configuration: Configuration, settings: Settings, environment: Mapping[str, str]) -> PlanInput:
    """Look at the host and return the plan's input; raises InvalidPlan for a node program that is not there."""
    solution = configuration.solution
    devchain = solution.mesh.devchain.enabled
    runtimes, chainlink = choose_programs(solution, environment)
    return PlanInput(
        configuration=configuration,
        run_dir=settings.run_dir,
        data_dir=DataDir(solution.mesh.data_dir.absolute()),
        secrets_dir=SecretsDir(Path(solution.sp_secrets_dir).absolute()),
        runtimes=runtimes,
        python=sys.executable,
        environment=environment,
        faucet_address=address_of(solution.faucet_private_key.get_secret_value()) if devchain else "",
        is_root=os.geteuid() == 0,
        accounts=_accounts(solution) if os.geteuid() == 0 else NO_ACCOUNTS,
        closed_directory=_closed_directory(Path(sys.executable), Path(__file__)),
        missing_capabilities=missing_capabilities(Path("/proc/self/status").read_text()),
        memory_bytes=memory_limit.available_bytes(),
        chainlink=chainlink,
    )


def _accounts(solution: Solution) -> Accounts:
    """Return who the services may run as: the host's accounts, if it has all of them, and the nodes' by number."""
    names = account_names(solution.total_nodes)
    group: int | None
    try:
        group = grp.getgrnam(GROUP).gr_gid
        entries = {service: pwd.getpwnam(name) for service, name in names.items()}
        found = {service: (entry.pw_uid, entry.pw_gid) for service, entry in entries.items()}
    except KeyError:
        found, group = {}, None
    base = solution.mesh.supervisor.node_uid_base
    if base is not None:
        found |= {node_name(index): (base + index, base + index) for index in range(1, solution.total_nodes + 1)}
    return Accounts(found, group)


def _closed_directory(*places: Path) -> str:
    """Return the first directory on the way to the places that others cannot enter, or nothing."""
    for place in places:
        for parent in reversed(place.resolve().parents):
            if not parent.stat().st_mode & stat.S_IXOTH:
                return str(parent)
    return ""


def missing_capabilities(status: str) -> tuple[str, ...]:
    """Return which of the needed capabilities a process does not have, by its /proc/PID/status."""
    effective = next(int(line.split()[1], 16) for line in status.splitlines() if line.startswith("CapEff:"))
    return tuple(name for name, number in CAPABILITIES.items() if not effective >> number & 1)


def choose_programs(solution: Solution, environment: Mapping[str, str]) -> tuple[dict[int, NodeRuntime], str]:
    """Return the program of each node, and the path of Chainlink's or nothing; raises InvalidPlan if it is missing."""
    setting = solution.mesh.runtime
    try:
        chainlink = node_program.chainlink_program(setting, environment)
        return node_program.runtimes(setting, solution.total_nodes, chainlink), chainlink or ""
    except InvalidInput as error:
        raise InvalidPlan(error.field, error.found, error.allowed) from None


def address_of(private_key: str) -> str:
    """Return the account of a private key (64 hex digits, perhaps after 0x), with its checksum (ERC-55)."""
    # Only a mesh with a chain of its own needs these.
    from coincurve import PublicKey

    from meshkit.ethereum.address import checksummed
    from meshkit.ethereum.keccak import keccak256

    public_key = PublicKey.from_secret(bytes.fromhex(private_key.removeprefix("0x"))).format(compressed=False)
    return checksummed(keccak256(public_key[1:])[-20:].hex())

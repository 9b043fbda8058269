"""
Check who imports whom: no circle of modules anywhere, and nothing in meshkit that fewer than three parts use.

import-linter guards the directions between packages; it cannot count.

    python -m scripts.checks.imports
"""

import graphlib
from collections.abc import Iterator, Mapping, Set
from typing import Final

import grimp

from scripts.checks.report import end

PACKAGES: Final = ("meshkit", "chainlink", "services", "cli", "devkit")
FEWEST_USERS: Final = 3
# What the command and the supervisor's planning process use of the configuration, and no service needs.
_BEFORE_A_START: Final = (
    "checks.chain checks.defaults checks.hosts_and_https checks.ports checks.default_provider_addresses "
    "checks.rounds checks.feeds key_descriptions masked_configuration reading.environment signing.object_hash "
    "signing.signature start_check"
)
# What fewer use, and why it is there all the same.
REASONS: Final = {
    **dict.fromkeys(
        (f"meshkit.configuration.{name}" for name in _BEFORE_A_START.split()),
        "`check`, `up`, `apply` and `config` say the same of a file and of its signature, before anything starts",
    ),
    "meshkit.credentials": "dbinit sets the passwords that the operator writes into the nodes' files: one derivation",
    **dict.fromkeys(
        (f"meshkit.push.{name}" for name in ("arrival", "metrics", "pusher")),
        "aggregator and metrics service push by one protocol",
    ),
    **dict.fromkeys(
        (f"meshkit.explain.{name}" for name in ("asking", "faults", "quotes", "round_story", "selection", "sentences")),
        "the page explains a round in the words of `explain`",
    ),
    **dict.fromkeys(
        (f"meshkit.listings.{name}" for name in ("balances", "durations", "feeds", "services", "sources")),
        "the page shows what the commands show, in the same words",
    ),
    **dict.fromkeys(
        (f"meshkit.job_templates.{name}" for name in ("findings", "known_assets")),
        "`check` has notes of what `feeds import` finds: one set of rules",
    ),
}

Graph = Mapping[str, Set[str]]


def circle(imports: Graph) -> Iterator[str]:
    """Yield a circle of modules, if there is one."""
    try:
        graphlib.TopologicalSorter(imports).prepare()
    except graphlib.CycleError as error:
        yield f"imports go in a circle: {' → '.join(reversed(error.args[1]))}"


def part(module: str) -> str:
    """Return which part of the product a module belongs to: a service, or another top-level package."""
    names = module.split(".")
    return ".".join(names[:2]) if names[0] == "services" else names[0]


def lonely(imports: Graph, reasons: Mapping[str, str]) -> Iterator[str]:
    """
    Yield the modules of meshkit that fewer than three parts use, directly or through another module of meshkit.

    Also yields reasons that no longer excuse anything.
    """
    users: dict[str, set[str]] = {module: set() for module in imports if part(module) == "meshkit"}
    for module in imports:
        if part(module) == "meshkit":
            continue
        waiting, seen = [name for name in imports[module] if name in users], set[str]()
        while waiting:
            used = waiting.pop()
            if used in seen:
                continue
            seen.add(used)
            users[used].add(part(module))
            waiting += [name for name in imports[used] if name in users]
    packages = {name.rpartition(".")[0] for name in users}
    few = {name for name, parts in users.items() if len(parts) < FEWEST_USERS} - packages
    for name in sorted(few - reasons.keys()):
        found = ", ".join(sorted(users[name])) or "nobody"
        yield f"{name}: used by {found}; meshkit holds what at least {FEWEST_USERS} parts use"
    for name in sorted(reasons.keys() - few):
        yield f"{name}: a reason is given for few users, but it is gone or has enough"


def measured() -> Graph:
    """Return what each module of the product imports, but for what only a type checker sees."""
    graph = grimp.build_graph(*PACKAGES, exclude_type_checking_imports=True, cache_dir=None)
    return {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}


def faults() -> Iterator[str]:
    """Yield everything that is wrong."""
    imports = measured()
    yield from circle(imports)
    yield from lonely(imports, REASONS)


if __name__ == "__main__":
    end(faults())

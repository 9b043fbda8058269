"""What follows from a change of the configuration, in sentences for who is about to apply it."""

from collections.abc import Iterator, Mapping
from typing import Final

from meshkit.configuration.keys_by_service import DECLARED
from services.supervisor.plan.mesh_plan import TEMPLATES, MeshPlan
from services.supervisor.plan.plan_difference import Change, ChangeKind, Difference
from services.supervisor.plan.service_spec import Kind

# A contract's configuration has the timings and the set of oracles.
_ON_CHAIN: Final = ("solution.mesh.ocr", "solution.totalNodes", "solution.bootstrapNodes")
_FEED_SETTINGS: Final = "solution.mesh.feedSettings"
_WARNINGS: Final[Mapping[str, str]] = {
    "solution.chainlinkKeystorePassword": "key files that were made with the old one cannot be read with another, so "
    "the operator fails until the old one is back",
    "solution.chainlinkChainId": "on another chain every feed begins anew, with a contract of its own",
}


def consequences(old: MeshPlan, new: MeshPlan, found: Difference) -> tuple[str, ...]:
    """Return a sentence for each service, each feed and each key that deserves one; none if nothing differs."""
    kinds = {spec.name: spec.kind for spec in new.services}
    services = (f"{change.name} {_verb(change, kinds.get(change.name))}" for change in found.changes)
    contracts = (*_contracts(found.keys), *_settings(found.keys))
    return (*services, *_feeds(old, new), *_jobs(old, new), *contracts, *_keys(found.keys))


def _verb(change: Change, kind: Kind | None) -> str:
    match change.kind:
        case ChangeKind.ADDED:
            return "starts"
        case ChangeKind.REMOVED:
            return "stops for good"
        case ChangeKind.RESTARTED:
            return "runs again" if kind is Kind.ONESHOT else "restarts"
        case ChangeKind.UPDATED:
            return "goes on under other rules of supervision"


def _feeds(old: MeshPlan, new: MeshPlan) -> Iterator[str]:
    for name, address in new.feeds.items():
        if name not in old.feeds or old.feeds[name] != address:
            yield f"{name}: {_contract(address, may_deploy=new.may_deploy)}"
    for name in old.feeds:
        if name not in new.feeds:
            yield f"{name}: its jobs will be deleted; its contract stays on chain and gets no more answers"


def _jobs(old: MeshPlan, new: MeshPlan) -> Iterator[str]:
    for name in new.feeds:
        key = f"{TEMPLATES}.{name}"
        before, after = old.keys.get(key), new.keys.get(key)
        if name not in old.feeds or before == after:
            continue
        if after is None:
            yield f"{name}: its jobs will be replaced by those of our own pipeline, without its template"
        elif before is None:
            yield f"{name}: its jobs will be replaced by those of its template"
        else:
            yield f"{name}: its jobs will be replaced on every node, since its template has changed"


def _contract(address: str, *, may_deploy: bool) -> str:
    if address:
        return f"its contract will be {address}"
    if may_deploy:
        return "a contract will be deployed, unless one was before"
    # Else the file would have been refused.
    return "its contract will be the one of an earlier run"


def _contracts(keys: tuple[str, ...]) -> Iterator[str]:
    if reasons := [key for key in keys if any(_concerns(key, other) for other in _ON_CHAIN)]:
        yield f"every feed: its contract will be configured anew, because of {', '.join(reasons)}"


def _settings(keys: tuple[str, ...]) -> Iterator[str]:
    """Yield a sentence for each feed whose own settings differ; of a key for all of them, one for all."""
    if _FEED_SETTINGS in keys:
        yield f"every feed with settings of its own: its contract will be configured anew, because of {_FEED_SETTINGS}"
    below = (key.removeprefix(f"{_FEED_SETTINGS}.") for key in keys if key.startswith(f"{_FEED_SETTINGS}."))
    # A feed's name has spaces, the key of a setting has none; both may be there or only the name.
    names = (name if " " in name.rpartition(".")[2] or "." not in name else name.rpartition(".")[0] for name in below)
    for feed in dict.fromkeys(names):
        yield f"{feed}: its contract will be configured anew, because of {_FEED_SETTINGS}.{feed}"


def _keys(keys: tuple[str, ...]) -> Iterator[str]:
    for key in keys:
        if key in _WARNINGS:
            yield f"{key}: {_WARNINGS[key]}"
        elif not any(_concerns(key, read) for declared in DECLARED for read in declared.places):
            yield f"{key}: nobody reads it, so nothing follows"


def _concerns(key: str, other: str) -> bool:
    """Tell whether one of two keys is the other or below it."""
    return key == other or key.startswith(f"{other}.") or other.startswith(f"{key}.")

"""
The feeds that a configuration has served: of `mesh.feeds`, then those of the templates' directory.

A feed of both is served as `mesh.feeds` has it, since that prices it by what is known of its assets.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from meshkit import feeds
from meshkit.configuration.faults.problem import Place, Problem
from meshkit.configuration.feeds.timings import FeedTimings, timings
from meshkit.configuration.mesh import FeedSettings
from meshkit.configuration.solution import Solution
from meshkit.job_templates import contract_addresses, template
from meshkit.job_templates.contract_addresses import BadAddresses, ContractAddresses
from meshkit.job_templates.template import SUFFIX, BadTemplate, JobTemplate

TEMPLATES_PLACE: Place = ("solution", "chainlinkFeedTemplatesDir")
_ADDRESSES_PLACE: Place = ("solution", "mesh", "contracts", "addressesFile")


@dataclass(frozen=True, slots=True)
class ServedFeed:
    """
    Hold one feed as it is to be served.

    Attributes:
        address: Its contract's, as the file has it; None where the operator is to know or make it.
        template: What its jobs are made of; None for a pipeline of our own.
    """

    name: str
    decimals: int
    timings: FeedTimings
    address: str | None = None
    ocr_version: int = 1
    template: JobTemplate | None = None


@dataclass(frozen=True, slots=True)
class FeedList:
    """
    Hold all that was found of feeds.

    Attributes:
        served: In the order in which they were found.
        templates: All files of the templates' directory.
        unused: Names of templates, and why each is no feed of this mesh.
        problems: What keeps a feed from being served.
    """

    served: tuple[ServedFeed, ...] = ()
    templates: tuple[JobTemplate | BadTemplate, ...] = ()
    unused: Mapping[str, str] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Return the names of the feeds that are served."""
        return tuple(feed.name for feed in self.served)


def served_feeds(solution: Solution) -> tuple[ServedFeed, ...]:
    """Return the feeds that can be served; what keeps others from it was told at the start."""
    return feed_list(solution).served


def feed_list(solution: Solution) -> FeedList:
    """Read the templates and files of addresses that a configuration names, and say what comes of it."""
    mesh = solution.mesh
    problems: list[Problem] = []
    templates = _templates(solution, problems)
    listed = _addresses(solution, problems)
    served = [
        ServedFeed(
            name,
            _decimals(mesh.feed_settings.get(name), known.decimals),
            timings(mesh.ocr, mesh.feed_settings.get(name), known),
            mesh.contracts.addresses.get(name, listed.addresses.get(name)),
            _version(mesh.feed_settings.get(name)),
        )
        for name in dict.fromkeys(mesh.feeds)
        if (known := feeds.load().get(name)) is not None
    ]
    unused: dict[str, str] = {}
    owners: dict[str, str] = {}
    for each in templates:
        if isinstance(each, BadTemplate):
            problems.append(Problem((*TEMPLATES_PLACE, each.file), each.found, each.allowed))
            continue
        if (owner := owners.setdefault(each.name, each.file)) != each.file:
            found = f"the name {each.name!r}, which {owner} has already"
            problems.append(
                Problem((*TEMPLATES_PLACE, each.file), found, "a name of its own: nodes take one job of each")
            )
            continue
        if each.name in mesh.feeds:
            unused[each.name] = "solution.mesh.feeds has it, which prices it without this template"
            continue
        address = _address_of(solution, listed, each)
        if address is None and listed.elsewhere & {each.name, each.file.removesuffix(SUFFIX)}:
            unused[each.name] = f"its contracts are on other chains than {solution.chainlink_chain_id}"
            continue
        settings = mesh.feed_settings.get(each.name)
        decimals = each.pipeline.decimals
        if decimals is None:
            allowed = "one power of ten for all its values: 10 to the number of decimals"
            problems.append(Problem((*TEMPLATES_PLACE, each.file), "other scales, or values not understood", allowed))
            continue
        served.append(
            ServedFeed(
                each.name,
                decimals,
                timings(mesh.ocr, settings, feeds.load().get(each.name)),
                address,
                _version(settings),
                each,
            )
        )
    return FeedList(tuple(served), templates, unused, tuple(problems))


def _decimals(settings: FeedSettings | None, usual: int) -> int:
    return usual if settings is None or settings.decimals is None else settings.decimals


def _version(settings: FeedSettings | None) -> int:
    return 1 if settings is None else settings.ocr_version


def _templates(solution: Solution, problems: list[Problem]) -> tuple[JobTemplate | BadTemplate, ...]:
    directory = solution.chainlink_feed_templates_dir
    if directory is None or not Path(directory).is_dir():
        return ()
    try:
        return template.read_directory(Path(directory))
    except OSError as error:
        found = f"{directory}, which cannot be listed ({type(error).__name__})"
        problems.append(
            Problem(TEMPLATES_PLACE, found, "a directory of job templates, or feeds in solution.mesh.feeds")
        )
        return ()


def _addresses(solution: Solution, problems: list[Problem]) -> ContractAddresses:
    path, place = solution.mesh.contracts.addresses_file, _ADDRESSES_PLACE
    if path is None and solution.chainlink_feed_templates_dir is not None:
        usual = Path(solution.chainlink_feed_templates_dir) / contract_addresses.FILE_NAME
        path, place = (usual, (*TEMPLATES_PLACE, usual.name)) if usual.is_file() else (None, place)
    if path is None:
        return ContractAddresses({})
    try:
        return contract_addresses.read(path, solution.chainlink_chain_id)
    except BadAddresses as error:
        allowed = 'feed names with addresses by chain id: {"BTC / USD": {"5611": "0x…"}}'
        problems.append(Problem(place, str(error), allowed))
        return ContractAddresses({})


def _address_of(solution: Solution, listed: ContractAddresses, each: JobTemplate) -> str | None:
    candidates = (
        solution.mesh.contracts.addresses.get(each.name),
        listed.addresses.get(each.name),
        listed.addresses.get(each.file.removesuffix(SUFFIX)),
    )
    return next((address for address in candidates if address is not None), None)

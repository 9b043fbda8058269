"""What each service reads, and that it can read nothing else."""

import ast
import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from chainlink.identities import key_files
from meshkit.configuration.keys_by_service import (
    AGGREGATOR,
    DBINIT,
    DECLARED,
    METRICS,
    NODE,
    OPERATOR,
    POSTGRES,
    ServiceKeys,
    UndeclaredKey,
)
from meshkit.configuration.load import load_from_environment
from meshkit.configuration.solution import Configuration
from meshkit.errors import InvalidInput
from services.aggregator import config as aggregator
from services.dbinit import config as dbinit
from services.metrics import config as metrics
from services.operator.config import OperatorConfig
from services.operator.nodes import node_config, prepare_nodes
from tests.meshkit.configuration.leaves import changed, fields, leaves, read, whole

SIGNED = Path(__file__).parents[2] / "vectors" / "configuration.signed.json"
NAMES = {declared.service: declared for declared in DECLARED}


@pytest.fixture(name="configuration", scope="module")
def _configuration() -> Configuration:
    document = json.loads(SIGNED.read_text())
    endpoint = {"name": "second", "httpUrl": "http://127.0.0.1:2", "wsUrl": "ws://127.0.0.1:2"}
    mesh = {"feeds": ["BTC / USD"], "keystore": {"scryptN": 2}, "rpcEndpoints": [endpoint]}
    return whole(document, mesh=mesh, metricsPush={"enabled": True, "url": "https://metrics.example/push"})


def places(configuration: Configuration) -> dict[str, tuple[str, ...]]:
    """Return where every value is and how it is read; what is accepted without effect must not be read at all."""
    return dict(leaves(configuration))


@pytest.mark.parametrize("service", NAMES)
def test_what_is_declared_exists(configuration: Configuration, service: str) -> None:
    """Each key is one of the configuration's, or a section of it."""
    found = places(configuration)
    for place in NAMES[service].places:
        assert any(each == place or each.startswith(f"{place}.") for each in found), place


@pytest.mark.parametrize("service", NAMES)
def test_a_service_reads_what_it_declares_and_nothing_else(configuration: Configuration, service: str) -> None:
    """Every value can be read through the declaration or is refused with the service's name and the key."""
    declared = NAMES[service]
    view = declared.view(configuration)
    for place, attributes in places(configuration).items():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            if declared.has(place):
                assert read(configuration, attributes) == read(view, attributes)
            else:
                with pytest.raises(UndeclaredKey) as caught:
                    read(view, attributes)
                assert service == caught.value.service
                assert f"{place}.".startswith(f"{caught.value.key}.")


def test_a_view_shows_no_way_around(configuration: Configuration) -> None:
    """Neither the whole document nor a section of which only a part is declared can be had."""
    view: Any = METRICS.view(configuration)
    for name in ("model_dump", "model_copy", "__dict__"):
        with pytest.raises(AttributeError):
            getattr(view.solution, name)
    with pytest.raises(TypeError):
        iter(view.solution.mesh)


@pytest.mark.parametrize(
    ("keys", "take"),
    [
        (AGGREGATOR, aggregator.read),
        (METRICS, metrics.from_configuration),
        (OPERATOR, OperatorConfig.of),
        (DBINIT, lambda configuration: dbinit.from_configuration(configuration, Path("/run/x"))),
    ],
    ids=["aggregator", "metrics", "operator", "dbinit"],
)
def test_a_service_declares_all_that_it_reads(
    configuration: Configuration, keys: ServiceKeys, take: Callable[[Configuration], object]
) -> None:
    """Its settings are the same through its declaration as with the whole configuration at hand."""
    assert take(configuration) == take(keys.view(configuration))


def test_the_server_is_made_of_what_is_declared_for_it(configuration: Configuration) -> None:
    """No other value changes how the PostgreSQL server is started."""

    def server(found: Configuration) -> tuple[object, ...]:
        ours = dbinit.from_configuration(found, Path("/run/x"))
        return ours.place, ours.port, ours.bin_dir, ours.user, ours.max_connections, ours.synchronous_commit

    for place, attributes in places(configuration).items():
        assert POSTGRES.has(place) or server(configuration) == server(changed(configuration, attributes)), place


async def test_a_nodes_files_are_made_of_what_is_declared_for_it(configuration: Configuration, tmp_path: Path) -> None:
    """No other value changes a byte of them, and each that is declared does."""
    mesh = configuration.solution.mesh.model_copy(update={"data_dir": tmp_path})
    secrets = str(tmp_path / "secrets")
    solution = configuration.solution.model_copy(update={"mesh": mesh, "sp_secrets_dir": secrets})
    base = configuration.model_copy(update={"solution": solution})
    given = OperatorConfig.of(base)
    prepared = await prepare_nodes.prepare(given)
    keys = key_files.ensure(given.secrets.node(2), given.credentials.keystore_password, 2, with_ocr=True)

    def files(found: Configuration) -> tuple[str, ...]:
        config, node = OperatorConfig.of(found), prepared.identities[1]
        nodes = tuple(each for each in prepared.identities)
        return (
            node_config.config_toml(config, node, nodes),
            node_config.secrets_toml(config, node, keys),
            node_config.api_credentials(config),
        )

    readable = {place: way for place, way in places(base).items() if place not in _UNFIT}
    differing = {place for place, way in readable.items() if files(base) != files(changed(base, way))}

    # Which keys there are, and how many bootstrap nodes, shows in the identities, which are the same here.
    of_identities = {"solution.bootstrapNodes", "solution.spSecretsDir"}
    assert {place for place in readable if NODE.has(place)} - of_identities == differing


# Another value of these is refused when it is read, or stands for what no type tells, so that there are no files to
# compare; and what machines elsewhere change, `test_node_config.py` compares.
_UNFIT = {
    *("solution.mesh.feeds", "solution.mesh.feedSettings", "solution.mesh.contracts.addressesFile"),
    *("solution.mesh.network.nodeHosts", "solution.mesh.postgres.url"),
    *("solution.linkCa", "solution.adminContractAddress"),
}


def test_no_service_reads_the_whole_file() -> None:
    """Only the supervisor's planning process does, which tells the services of a change; all others have a view."""
    root = Path(__file__).parents[3]
    found = [
        str(path.relative_to(root))
        for path in sorted((root / "services").rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom)
        if (node.module == "meshkit.configuration.load" and any(alias.name == "load" for alias in node.names))
        or (node.module == "meshkit.configuration" and any(alias.name == "start_check" for alias in node.names))
    ]

    assert ["services/supervisor/plan/make_plan.py"] == found


def test_the_variable_is_required(tmp_path: Path) -> None:
    """Without FEEDMESH_CONFIG the error names it; with it, the file is read and only what is declared can be had."""
    for environment in ({}, {"FEEDMESH_CONFIG": ""}):
        with pytest.raises(InvalidInput, match="FEEDMESH_CONFIG"):
            load_from_environment(environment, METRICS)
    path = tmp_path / "configuration.json"
    path.write_text(SIGNED.read_text())
    view = load_from_environment({"FEEDMESH_CONFIG": str(path)}, METRICS)

    assert 3003 == view.solution.mesh.ports.metrics
    with pytest.raises(UndeclaredKey, match=r"process-metrics reads solution\.pgPassword"):
        _ = view.solution.pg_password


# What the loader itself uses; who may sign a file is not asked yet.
OF_THE_LOADER = {"solution.nodesList", "solution.signature"}


def test_a_key_that_nobody_reads_says_so() -> None:
    """Every key is declared by a service, or its documentation says that it has no effect, and why."""
    unread = {
        place
        for place, field in fields(Configuration.model_fields["solution"].annotation, "solution")
        if not any(declared.has(place) for declared in DECLARED) and not isinstance(field.deprecated, str)
    }

    assert OF_THE_LOADER == unread

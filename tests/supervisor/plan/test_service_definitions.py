"""The services of a configuration."""

import signal
from dataclasses import replace
from pathlib import Path

import pytest

from meshkit.configuration.node_program import NodeRuntime
from services.supervisor.config import settings
from services.supervisor.errors import InvalidPlan
from services.supervisor.plan.dependency_graph import DependencyGraph
from services.supervisor.plan.plan_input import PlanInput
from services.supervisor.plan.probe_spec import GrpcProbe, HttpProbe, PostgresProbe, TcpProbe
from services.supervisor.plan.service_definitions import services_of
from services.supervisor.plan.service_spec import Condition, Kind, ServiceSpec
from services.supervisor.plan.service_users import Accounts
from tests.supervisor.plan.plans import RUNTIMES, all_run


def specs(given: PlanInput) -> dict[str, ServiceSpec]:
    """Return the plan's services by name, after the graph has accepted them."""
    return dict(DependencyGraph(services_of(given)).specs)


def needs(spec: ServiceSpec) -> dict[str, str]:
    """Return what a service waits for."""
    return {edge.name: edge.condition.name.lower() for edge in spec.needs}


def test_embedded_waves(given: PlanInput) -> None:
    """The database, the simulators and the services come before the bootstrap node, that before the oracles."""
    assert (
        ("dbinit", "devchain", "market", "process-metrics"),
        ("operator", "postgres-bootstrap", "price-aggregator"),
        ("postgres",),
        ("postgres-init",),
        ("chainlink-node-1",),
        ("chainlink-node-2", "chainlink-node-3", "chainlink-node-4", "chainlink-node-5"),
    ) == DependencyGraph(services_of(given)).waves


def test_edges(given: PlanInput) -> None:
    """Every service waits for exactly what it needs."""
    found = {name: needs(spec) for name, spec in specs(given).items()}
    node = {"postgres-init": "completed", "postgres": "healthy", "price-aggregator": "healthy", "operator": "healthy"}

    assert {
        "dbinit": {},
        "devchain": {},
        "market": {},
        "process-metrics": {},
        "operator": {"devchain": "healthy"},
        "price-aggregator": {"market": "healthy"},
        "postgres-bootstrap": {"dbinit": "healthy"},
        "postgres": {"postgres-bootstrap": "completed"},
        "postgres-init": {"postgres": "healthy", "dbinit": "healthy"},
        "chainlink-node-1": node,
        **{f"chainlink-node-{i}": {**node, "chainlink-node-1": "healthy"} for i in range(2, 6)},
    } == found


def test_commands(given: PlanInput) -> None:
    """Each service is started as its program expects; no command carries a secret."""
    found = {name: " ".join(spec.command) for name, spec in specs(given).items()}
    data, run = given.data_dir.path, given.run_dir.path
    node = (
        f"--config {data}/nodes/2/config.toml --secrets {data}/nodes/2/secrets.toml --api {data}/nodes/2/apicredentials"
    )
    wei = given.configuration.solution.mesh.devchain.faucet_wei

    assert "python -m services.dbinit" == found["dbinit"]
    assert "python -m services.dbinit bootstrap" == found["postgres-bootstrap"]
    assert "python -m services.dbinit postgres" == found["postgres"]
    assert "python -m services.dbinit provision" == found["postgres-init"]
    assert "python -m devkit.market --port 8600 --seed 42" == found["market"]
    assert (
        f"python -m devkit.chain --port 8545 --chain-id 5611 --block-time 1 --state-dir {data}/chain"
        f" --fund 0xfaucet={wei}"
    ) == found["devchain"]
    assert "python -m services.aggregator" == found["price-aggregator"]
    assert "python -m services.operator" == found["operator"]
    assert "python -m services.metrics" == found["process-metrics"]
    assert f"python -m services.oracle node {node} --run-dir {run} --name chainlink-node-2" == found["chainlink-node-2"]
    solution = given.configuration.solution
    secrets = (solution.pg_password, solution.chainlink_password, solution.faucet_private_key)
    assert not any(secret.get_secret_value() in command for secret in secrets for command in found.values())


def test_probes_ports_and_kinds(given: PlanInput) -> None:
    """Readiness is asked where the service answers, and every TCP port is known before the start."""
    found = specs(given)
    run = given.run_dir
    assert {
        "dbinit": GrpcProbe(run.socket("dbinit")),
        "postgres-bootstrap": None,
        "postgres": PostgresProbe(5432, "feedmesh", "postgres", given.data_dir.postgres / "superuser-password"),
        "postgres-init": None,
        "market": HttpProbe(8600, "/healthz"),
        "devchain": TcpProbe(8545),
        "price-aggregator": GrpcProbe(run.socket("aggregator")),
        "operator": GrpcProbe(run.socket("operator")),
        "process-metrics": GrpcProbe(run.socket("metrics")),
        **{f"chainlink-node-{i}": HttpProbe(6600 + i, "/readyz") for i in range(1, 6)},
    } == {name: spec.probe for name, spec in found.items()}
    assert {5432, 8600, 8545, 3000, 3003, *range(6601, 6606), *range(9901, 9906)} == {
        port for spec in found.values() for port in spec.ports
    }
    assert {"postgres-bootstrap", "postgres-init"} == {n for n, spec in found.items() if spec.kind is Kind.ONESHOT}


def test_environment_is_listed(given: PlanInput) -> None:
    """Only known variables pass, and what a service of ours needs is added."""
    assert {
        "PATH": "/usr/bin",
        "HOME": "/root",
        "FEEDMESH_CONFIG": str(given.run_dir.configuration),
        "FEEDMESH_RUN_DIR": str(given.run_dir.path),
        "PYTHONUNBUFFERED": "1",
        "PYDANTIC_DISABLE_PLUGINS": "__all__",
        "GRPC_ENABLE_FORK_SUPPORT": "false",
        "GRPC_VERBOSITY": "ERROR",
    } == specs(given)["operator"].environment


def test_chainlink_nodes(given: PlanInput) -> None:
    """The real binary gets its own flags, a home, a share of the memory, nothing of ours, and time for its shutdown."""
    program, runtimes = "/usr/local/bin/chainlink", all_run("chainlink")
    node = specs(replace(given, runtimes=runtimes, chainlink=program, memory_bytes=4 * 2**30))["chainlink-node-3"]
    directory = given.data_dir.node(3)

    assert (
        *(program, "node", "-config", f"{directory}/config.toml", "-secrets", f"{directory}/secrets.toml"),
        *("start", "-a", f"{directory}/apicredentials"),
    ) == node.command
    expected = {"PATH": "/usr/bin", "HOME": str(given.data_dir.node_home(3)), "GOMEMLIMIT": "611MiB"}
    assert expected == node.environment
    assert [(signal.SIGTERM, 20.0)] == [(step.signal, step.timeout_s) for step in node.stop.steps]
    assert HttpProbe(6603, "/readyz") == node.probe
    assert () == node.sockets
    assert "chainlink" == node.runtime


def test_a_node_of_each_program_in_one_mesh(given: PlanInput) -> None:
    """Each node is run as its own program wants it, with the same files, ports and conditions."""
    mixed: dict[int, NodeRuntime] = {**all_run("embedded"), 2: "chainlink", 4: "chainlink"}
    found = specs(replace(given, runtimes=mixed, chainlink="/opt/chainlink"))
    nodes = [found[f"chainlink-node-{index}"] for index in range(1, 6)]

    assert ["embedded", "chainlink", "embedded", "chainlink", "embedded"] == [node.runtime for node in nodes]
    assert [1, 3, 5] == [index for index, node in enumerate(nodes, 1) if "services.oracle" in node.command]
    assert [2, 4] == [index for index, node in enumerate(nodes, 1) if "/opt/chainlink" == node.command[0]]
    for index, node in enumerate(nodes, 1):
        files = [str(given.data_dir.node(index) / name) for name in ("config.toml", "secrets.toml", "apicredentials")]
        assert set(files) <= set(node.command)
        assert (6600 + index, 9900 + index) == node.ports
        assert nodes[-1].needs == node.needs or index == 1


def test_production_has_no_simulators(given: PlanInput) -> None:
    """Without the development parts nobody waits for them."""
    solution = given.configuration.solution
    mesh = solution.mesh.model_copy(
        update={"devchain": type(solution.mesh.devchain)(), "market": type(solution.mesh.market)()}
    )
    configuration = given.configuration.model_copy(update={"solution": solution.model_copy(update={"mesh": mesh})})
    found = specs(replace(given, configuration=configuration))

    assert not {"devchain", "market"} & set(found)
    assert ({}, {}) == (needs(found["operator"]), needs(found["price-aggregator"]))


def test_runs_by_request(given: PlanInput) -> None:
    """Our own nodes are told where jobs may be run by request, and only there."""
    mesh = given.configuration.solution.mesh.model_copy(update={"manual_job_runs": True})
    solution = given.configuration.solution.model_copy(update={"mesh": mesh})
    allowed = replace(given, configuration=given.configuration.model_copy(update={"solution": solution}))

    assert "--manual-job-runs" in specs(allowed)["chainlink-node-2"].command
    assert "--manual-job-runs" not in specs(given)["chainlink-node-2"].command


def test_hosts_that_jobs_may_ask(given: PlanInput) -> None:
    """Our own nodes are given the list of hosts, an empty one too; without it there is no limit."""
    for hosts, words in (((), ""), (("a.example", "*.b.example"), "a.example,*.b.example")):
        mesh = given.configuration.solution.mesh.model_copy(update={"egress": hosts})
        solution = given.configuration.solution.model_copy(update={"mesh": mesh})
        limited = replace(given, configuration=given.configuration.model_copy(update={"solution": solution}))
        command = specs(limited)["chainlink-node-2"].command
        assert words == command[command.index("--egress") + 1]
    assert "--egress" not in specs(given)["chainlink-node-2"].command


def test_more_bootstrap_nodes(given: PlanInput) -> None:
    """Oracles wait for every bootstrap node, bootstrap nodes not for each other."""
    solution = given.configuration.solution.model_copy(update={"total_nodes": 7, "bootstrap_nodes": 2})
    found = specs(replace(given, configuration=given.configuration.model_copy(update={"solution": solution})))

    assert "chainlink-node-1" not in needs(found["chainlink-node-2"])
    assert {"chainlink-node-1", "chainlink-node-2"} <= set(needs(found["chainlink-node-7"]))


def test_postgres_is_never_told_to_wait_for_its_clients(given: PlanInput) -> None:
    """It is stopped by SIGINT, then SIGQUIT, never SIGTERM, and dies immediately with the supervisor."""
    postgres = specs(given)["postgres"]

    assert [signal.SIGINT, signal.SIGQUIT] == [step.signal for step in postgres.stop.steps]
    assert signal.SIGQUIT is postgres.death_signal


def test_the_budget_is_the_configured_one(given: PlanInput) -> None:
    """`maxRestarts` holds for every service."""
    assert {3} == {spec.policy.max_restarts for spec in specs(given).values()}


def test_conditions_of_the_plan_can_be_met(given: PlanInput) -> None:
    """No edge waits for a state that its target cannot reach; the graph has checked it for both runtimes."""
    for runtime in RUNTIMES:
        graph = DependencyGraph(services_of(replace(given, runtimes=all_run(runtime))))

        assert 14 == len(graph.order)
    assert Condition.COMPLETED in {edge.condition for spec in graph.specs.values() for edge in spec.needs}


@pytest.mark.parametrize(("is_root", "closed"), [(False, ""), (True, "/root")])
def test_users_of_nodes_need_root_and_a_way_in(given: PlanInput, is_root: bool, closed: str) -> None:
    """Numbers for the nodes' users are refused where we may not change users, or where these could not reach us."""
    mesh = given.configuration.solution.mesh
    users = mesh.model_copy(update={"supervisor": mesh.supervisor.model_copy(update={"node_uid_base": 70_000})})
    solution = given.configuration.solution.model_copy(update={"mesh": users})
    configuration = given.configuration.model_copy(update={"solution": solution})
    with pytest.raises(InvalidPlan, match="nodeUidBase"):
        services_of(replace(given, configuration=configuration, is_root=is_root, closed_directory=closed))


def test_users_of_their_own_need_rights(given: PlanInput) -> None:
    """Root that may not change users is told which rights are missing, and of the way out, before a start."""
    without = replace(given, missing_capabilities=("SETGID", "SETUID"))
    assert services_of(without)

    with pytest.raises(InvalidPlan, match=r"root without SETGID, SETUID.*CHOWN.*another user"):
        services_of(replace(without, accounts=Accounts({"postgres": (6000, 6000)}, 6006)))


def test_every_probed_service_is_watched_for_life(given: PlanInput) -> None:
    """Liveness takes any answer, and finds a process that hangs within the set time."""
    for spec in specs(given).values():
        schedule = spec.liveness_schedule

        assert (spec.probe is None) == (spec.liveness is None)
        assert (schedule.period_s + schedule.timeout_s) * schedule.failure_threshold <= 60
        assert spec.liveness is None or getattr(spec.liveness, "any_answer", True)


def test_what_the_rounds_need_least_goes_first(given: PlanInput) -> None:
    """When memory is short, the kernel comes to the database last, and to the oracles after all that may be away."""
    scores = {name: spec.oom_score_adj or 0 for name, spec in specs(given).items()}
    wanted = ["process-metrics", "dbinit", "operator", "chainlink-node-1", "chainlink-node-2", "price-aggregator"]

    assert wanted == sorted(wanted, key=lambda name: -scores[name])
    assert len(wanted) == len({scores[name] for name in wanted})
    assert 0 == scores["postgres"] == min(scores.values())
    assert scores["chainlink-node-2"] == scores["chainlink-node-5"]


def test_settings(given: PlanInput) -> None:
    """The run directory and the logs are where the configuration says."""
    found = settings(given.configuration, {})

    assert (given.run_dir, given.data_dir.logs) == (found.run_dir, found.logs.directory)
    assert found.stop_deadline_s < 15


@pytest.mark.parametrize(
    ("configured", "environment", "expected"),
    [
        (None, {}, "{run}/service"),
        (None, {"FEEDMESH_RESTART_FILES_DIR": "/run/service"}, "/run/service"),
        (Path("/srv/counters"), {"FEEDMESH_RESTART_FILES_DIR": "/run/service"}, "/srv/counters"),
    ],
)
def test_where_restart_counters_are(
    given: PlanInput, configured: Path | None, environment: dict[str, str], expected: str
) -> None:
    """The file's directory comes first, then the environment's, as in the image, then the run directory."""
    mesh = given.configuration.solution.mesh
    ours = mesh.supervisor.model_copy(update={"restart_files_dir": configured})
    solution = given.configuration.solution.model_copy(update={"mesh": mesh.model_copy(update={"supervisor": ours})})
    found = settings(given.configuration.model_copy(update={"solution": solution}), environment)

    assert Path(expected.format(run=given.run_dir.path)) == found.restart_files

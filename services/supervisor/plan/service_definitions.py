"""The services of the mesh: what runs, with which command and environment, and who waits for whom."""

import signal
from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from meshkit.configuration.keys_by_service import (
    AGGREGATOR,
    DBINIT,
    METRICS,
    NODE,
    OPERATOR,
    POSTGRES,
    ServiceKeys,
)
from services.supervisor.errors import InvalidPlan
from services.supervisor.plan.memory_need import heap_limit_mb
from services.supervisor.plan.plan_input import CAPABILITIES, PlanInput
from services.supervisor.plan.probe_spec import AnyProbe, GrpcProbe, HttpProbe, PostgresProbe, Schedule, TcpProbe
from services.supervisor.plan.service_spec import (
    Condition,
    Dependency,
    Kind,
    RestartPolicy,
    ServiceSpec,
    StopPlan,
    StopStep,
)
from services.supervisor.plan.service_users import node_name, with_own_user

BOOTSTRAP_NODE: Final = "chainlink-node-1"

# The only variables that pass from our environment to a service.
_PASSED: Final = ("PATH", "HOME", "LANG", "TMPDIR")
# A chainlink node refuses to start when one of 234 old variables is merely present, so it gets even fewer, and a
# home of its own, without which no chainlink command works.
_PASSED_TO_CHAINLINK: Final = ("PATH", "LANG", "TMPDIR")

# All that a node of ours imports, in one module.
_NODE_MODULE: Final = "services.oracle.app"

_NODE_STOP: Final = StopPlan((StopStep(signal.SIGTERM, 10.0),))
# The longest shutdown a chainlink node is configured for is 15 s.
_CHAINLINK_STOP: Final = StopPlan((StopStep(signal.SIGTERM, 20.0),))
# SIGINT is the fast shutdown. Never SIGTERM: it waits for clients to leave by themselves. SIGQUIT needs a recovery.
_POSTGRES_STOP: Final = StopPlan((StopStep(signal.SIGINT, 8.0), StopStep(signal.SIGQUIT, 3.0)), reserve_s=5.0)

# Often enough to be shown soon, seldom enough to cost nothing: an answer takes half a millisecond of our time.
# Until then a look is cheap, mostly one for a socket that is not there, and a start has six that wait for each other.
_STEADY: Final = Schedule(starting_period_s=0.15, period_s=8.0, failure_threshold=2)

# Who is to go first when memory is short, in thousandths of it that count as used more: what the rounds need least.
# Without metrics, dbinit, operator and bootstrap nodes they go on; of the oracles f may be away, of the others none.
_OOM_SCORES: Final = {
    "process-metrics": 600,
    "dbinit": 500,
    "operator": 400,
    "market": 300,
    "devchain": 300,
    "price-aggregator": 50,
    "postgres": 0,
}
_OOM_SCORE_BOOTSTRAP_NODE: Final = 250
_OOM_SCORE_ORACLE: Final = 150


def services_of(given: PlanInput) -> list[ServiceSpec]:
    """Return every service of the configuration, not in any order; raises InvalidPlan."""
    _check_users(given)
    _check_place(given)
    specs = [*_database(given), *_simulators(given), *_services(given), *_nodes(given)]
    return [_with_user(given, _with_rules(given, spec)) for spec in specs]


def _with_user(given: PlanInput, spec: ServiceSpec) -> ServiceSpec:
    if spec.name not in given.accounts.users:
        return spec
    return with_own_user(spec, given.accounts, given.run_dir, given.data_dir, given.secrets_dir)


def _with_rules(given: PlanInput, spec: ServiceSpec) -> ServiceSpec:
    """Return the service with what all have alike: budget, liveness, limits."""
    solution = given.configuration.solution
    ours = solution.mesh.supervisor
    # Three looks in a row, each with its wait and its timeout, take the whole time.
    alive = Schedule(period_s=ours.hang_seconds / 4, timeout_s=ours.hang_seconds / 12, failure_threshold=3)
    return replace(
        spec,
        policy=RestartPolicy(max_restarts=solution.max_restarts, window_s=ours.restart_window_seconds),
        schedule=_STEADY,
        liveness=None if spec.probe is None else _alive(spec.probe),
        liveness_schedule=alive,
        limits={"nofile": ours.open_files},
        oom_score_adj=_oom_score(spec.name, solution.bootstrap_nodes),
    )


def _alive(probe: AnyProbe) -> AnyProbe:
    """Return the probe that takes any answer: who says that it is not ready still lives."""
    return probe if isinstance(probe, TcpProbe) else replace(probe, any_answer=True)


def _oom_score(name: str, bootstrap_nodes: int) -> int:
    bootstrap = {node_name(index) for index in range(1, bootstrap_nodes + 1)}
    return _OOM_SCORE_BOOTSTRAP_NODE if name in bootstrap else _OOM_SCORES.get(name, _OOM_SCORE_ORACLE)


def _database(given: PlanInput) -> Iterator[ServiceSpec]:
    port = given.configuration.solution.pg_port
    probe = PostgresProbe(port, "feedmesh", "postgres", given.data_dir.postgres / "superuser-password")
    yield _python_service(given, DBINIT, "dbinit", "services.dbinit")
    yield _oneshot(given, "postgres-bootstrap", "bootstrap", POSTGRES, _healthy("dbinit"))
    yield ServiceSpec(
        name="postgres",
        command=(given.python, "-m", "services.dbinit", "postgres"),
        needs=(_completed("postgres-bootstrap"),),
        environment=_environment(given),
        reads=POSTGRES.places,
        probe=probe,
        stop=replace(_POSTGRES_STOP, checkpoint=probe),
        death_signal=signal.SIGQUIT,
        ports=(port,),
        leftovers=(given.run_dir.postgres_launch,),
    )
    yield _oneshot(given, "postgres-init", "provision", DBINIT, _healthy("postgres"), _healthy("dbinit"))


def _simulators(given: PlanInput) -> Iterator[ServiceSpec]:
    mesh = given.configuration.solution.mesh
    if mesh.market.enabled:
        port = mesh.market.port
        yield ServiceSpec(
            name="market",
            command=(given.python, "-m", "devkit.market", "--port", str(port), "--seed", str(mesh.market.seed)),
            environment=_environment(given),
            probe=HttpProbe(port, "/healthz"),
            ports=(port,),
        )
    if mesh.devchain.enabled:
        port = mesh.devchain.port
        options = {
            "--port": port,
            "--chain-id": given.configuration.solution.chainlink_chain_id,
            "--block-time": mesh.devchain.block_time_seconds,
            "--state-dir": given.data_dir.chain,
            "--fund": f"{given.faucet_address}={mesh.devchain.faucet_wei}",
        }
        words = tuple(str(word) for option in options.items() for word in option)
        yield ServiceSpec(
            name="devchain",
            command=(given.python, "-m", "devkit.chain", *words),
            environment=_environment(given),
            probe=TcpProbe(port),
            # It stops its anvil itself, after the state is saved; so it must also live to do so when we die.
            stop=StopPlan((StopStep(signal.SIGTERM, 5.0),), reserve_s=2.0, leader_only=True),
            death_signal=signal.SIGTERM,
            ports=(port,),
        )


def _services(given: PlanInput) -> Iterator[ServiceSpec]:
    solution = given.configuration.solution
    market = (_healthy("market"),) if solution.mesh.market.enabled else ()
    devchain = (_healthy("devchain"),) if solution.mesh.devchain.enabled else ()
    aggregator = _python_service(given, AGGREGATOR, "aggregator", "services.aggregator", *market)
    yield replace(aggregator, ports=(solution.price_aggregator_config.port,))
    yield _python_service(given, OPERATOR, "operator", "services.operator", *devchain)
    metrics = _python_service(given, METRICS, "metrics", "services.metrics")
    yield replace(metrics, ports=(solution.mesh.ports.metrics,))


def _nodes(given: PlanInput) -> Iterator[ServiceSpec]:
    solution = given.configuration.solution
    needs = (
        _completed("postgres-init"),
        # Also by itself: a node that crashed with the database shall wait until that is back, not spend its budget.
        _healthy("postgres"),
        _healthy("price-aggregator"),
        _healthy("operator"),
    )
    bootstraps = tuple(_healthy(f"chainlink-node-{i}") for i in range(1, solution.bootstrap_nodes + 1))
    for index in range(1, solution.total_nodes + 1):
        yield _node(given, index, needs if index <= solution.bootstrap_nodes else (*needs, *bootstraps))


def _node(given: PlanInput, index: int, needs: tuple[Dependency, ...]) -> ServiceSpec:
    name = f"chainlink-node-{index}"
    directory = given.data_dir.node(index)
    ports, egress = given.configuration.solution.mesh.ports, given.configuration.solution.mesh.egress
    config, secrets, api = (str(directory / file) for file in ("config.toml", "secrets.toml", "apicredentials"))
    api_port, p2p_port = ports.node_api_base + index, ports.node_p2p_base + index
    shared = ServiceSpec(
        name=name,
        command=(),
        needs=needs,
        reads=NODE.places,
        probe=HttpProbe(api_port, "/readyz"),
        runtime=given.runtimes[index],
        stop=_NODE_STOP,
        ports=(api_port, p2p_port),
    )
    if given.runtimes[index] == "chainlink":
        heap_mb = heap_limit_mb(given.memory_bytes, tuple(given.runtimes.values()))
        return replace(
            shared,
            command=(given.chainlink, "node", "-config", config, "-secrets", secrets, "start", "-a", api),
            environment=_pass(given, _PASSED_TO_CHAINLINK)
            | {"HOME": str(given.data_dir.node_home(index)), "GOMEMLIMIT": f"{heap_mb}MiB"},
            stop=_CHAINLINK_STOP,
        )
    return replace(
        shared,
        command=(
            *(given.python, "-m", "services.oracle", "node", "--config", config, "--secrets", secrets, "--api", api),
            *("--run-dir", str(given.run_dir.path), "--name", name),
            *(("--manual-job-runs",) if given.configuration.solution.mesh.manual_job_runs else ()),
            *(("--egress", ",".join(egress)) if egress is not None else ()),
        ),
        environment=_environment(given),
        sockets=(given.run_dir.socket(name),),
        loaded_module=_NODE_MODULE,
    )


def _check_users(given: PlanInput) -> None:
    if given.accounts.users and given.missing_capabilities:
        allowed = f"with {', '.join(CAPABILITIES)}, for users of the services' own; or start it all as another user"
        raise InvalidPlan("our user", f"root without {', '.join(given.missing_capabilities)}", allowed)
    base = given.configuration.solution.mesh.supervisor.node_uid_base
    if base is not None and not given.is_root:
        raise InvalidPlan("solution.mesh.supervisor.nodeUidBase", base, "absent, unless the supervisor runs as root")
    if base is not None and given.closed_directory:
        allowed = f"absent, or other users may enter {given.closed_directory}, below which our Python lies"
        raise InvalidPlan("solution.mesh.supervisor.nodeUidBase", base, allowed)


def _check_place(given: PlanInput) -> None:
    """Raise InvalidPlan for services that are configured to be elsewhere: all that is supervised is on this machine."""
    mesh = given.configuration.solution.mesh
    allowed = "absent; the services of a mesh that is spread out are started one by one with `feedmesh serve`"
    if mesh.network.is_spread_out:
        raise InvalidPlan("solution.mesh.network.nodeHosts", ", ".join(mesh.network.node_hosts), allowed)
    if mesh.postgres.url is not None:
        raise InvalidPlan("solution.mesh.postgres.url", "a URL", allowed)


def _python_service(given: PlanInput, keys: ServiceKeys, socket: str, module: str, *needs: Dependency) -> ServiceSpec:
    path = given.run_dir.socket(socket)
    return ServiceSpec(
        name=keys.service,
        command=(given.python, "-m", module),
        needs=needs,
        environment=_environment(given),
        reads=keys.places,
        probe=GrpcProbe(path),
        sockets=(path,),
    )


def _oneshot(given: PlanInput, name: str, verb: str, keys: ServiceKeys, *needs: Dependency) -> ServiceSpec:
    return ServiceSpec(
        name=name,
        command=(given.python, "-m", "services.dbinit", verb),
        kind=Kind.ONESHOT,
        needs=needs,
        environment=_environment(given),
        reads=keys.places,
    )


def _environment(given: PlanInput) -> dict[str, str]:
    return _pass(given, _PASSED) | {
        "FEEDMESH_CONFIG": str(given.run_dir.configuration),
        "FEEDMESH_RUN_DIR": str(given.run_dir.path),
        "PYTHONUNBUFFERED": "1",
        # Ours are no plugins of pydantic's, and to look for some in all that is installed takes part of each start.
        "PYDANTIC_DISABLE_PLUGINS": "__all__",
        "GRPC_ENABLE_FORK_SUPPORT": "false",
        "GRPC_VERBOSITY": "ERROR",
    }


def _pass(given: PlanInput, names: tuple[str, ...]) -> dict[str, str]:
    return {name: given.environment[name] for name in names if name in given.environment}


def _healthy(name: str) -> Dependency:
    return Dependency(name, Condition.HEALTHY)


def _completed(name: str) -> Dependency:
    return Dependency(name, Condition.COMPLETED)

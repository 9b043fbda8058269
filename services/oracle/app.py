"""
The node as a whole: what starts after what, and how it ends.

    database ─▶ migrations ─▶ keyring ─▶ keys of secrets.toml ─▶ administrator ─▶ chains (heads, accounts)
        ─▶ P2P host ─▶ jobs of the database ─▶ gRPC ─▶ REST          "port answers" means "all has started"

It ends in the reverse order on SIGTERM or SIGINT: first nobody can ask any more, then the jobs stop, then the network
closes, then what is still in memory is written.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
from aiohttp import web

from feedmesh.oracle.v1.oracle_service_pb2_grpc import add_OracleServiceServicer_to_server
from meshkit import log
from meshkit.clock import Clock
from meshkit.egress.connector import EgressConnector
from meshkit.errors import FailedPrecondition
from meshkit.http.server import HttpServer, listen
from meshkit.metrics import Registry
from meshkit.process.background_tasks import BackgroundTasks
from meshkit.rpc.server import MeshServer, TcpListener
from services.oracle import node_metrics
from services.oracle.chain.evm_chain import EvmChain
from services.oracle.errors import SettingInvalid
from services.oracle.health import Health
from services.oracle.jobs.bootstrap_service import BootstrapDelegate
from services.oracle.jobs.contract_config_watch import ContractConfigWatches
from services.oracle.jobs.job_spawner import Delegates, JobRules, JobSpawner
from services.oracle.jobs.observation_source import ObservationSources
from services.oracle.jobs.oracle_service import OracleDelegate
from services.oracle.jobs.peer_groups import PeerGroups
from services.oracle.jobs.pipeline_services import PipelineRunner
from services.oracle.jobs.round_events import RoundEvents
from services.oracle.keys.imports import open_keyring
from services.oracle.keys.sealed_keyring import Keyring
from services.oracle.metrics import METRICS, OracleMetrics
from services.oracle.p2p.host import Host
from services.oracle.p2p.identity import PeerKey
from services.oracle.pipeline import connections
from services.oracle.pipeline.fetch import Fetcher
from services.oracle.rest import application
from services.oracle.rest.bridges import Bridges
from services.oracle.rest.chains import Chains
from services.oracle.rest.graphql.answers import NodeAnswers
from services.oracle.rest.graphql.query import GraphQl
from services.oracle.rest.jobs import Jobs
from services.oracle.rest.keys.evm import EvmKeys
from services.oracle.rest.keys.identities import IdentityKeys
from services.oracle.rest.monitoring import Monitoring
from services.oracle.rest.node_information import NodeInformation
from services.oracle.rest.runs import Runs
from services.oracle.rest.sessions import Sessions
from services.oracle.rest.transactions import Transactions
from services.oracle.round_records.kept_rounds import KeptRounds
from services.oracle.round_records.recorder import RoundRecorder
from services.oracle.round_records.store import RoundStore
from services.oracle.service import FULL_NAME, OracleServicer
from services.oracle.settings import ApiCredentials, Config, Secrets
from services.oracle.store.announcements import AnnouncementStore
from services.oracle.store.bridge_answers import BridgeAnswerStore
from services.oracle.store.bridges import BridgeStore
from services.oracle.store.contracts import ContractConfigStore, ContractStateStore
from services.oracle.store.database import Database
from services.oracle.store.jobs import JobStore
from services.oracle.store.keys import KeyStore
from services.oracle.store.last_observations import LastObservationStore
from services.oracle.store.migrations import migrate
from services.oracle.store.protocol import PostgresProtocolStore
from services.oracle.store.runs import RunStore
from services.oracle.store.transactions import TransactionLog, TransactionStore
from services.oracle.store.users import UserStore
from services.oracle.store.write_behind_and_cleanup import WriteBehind

_log = log.get_logger(__name__)
_DATABASE_DEADLINE_S = 60.0
# Statements take a millisecond, and each connection costs the server several megabytes.
_MOST_CONNECTIONS = 6
_MOST_REQUESTS = 200
_DRAIN_S = 1.0


@dataclass(frozen=True, slots=True)
class Node:
    """Hold what a node is started with; `egress` are the hosts beyond this one that its jobs may ask, None for any."""

    config: Config
    secrets: Secrets
    credentials: ApiCredentials | None
    socket: Path
    name: str
    clock: Clock
    tcp: TcpListener | None = None
    may_run_any: bool = False
    egress: frozenset[str] | None = None

    async def run(self) -> None:
        """
        Run the node until a signal.

        Raises:
            MeshError: when it cannot start, naming what is in the way.
        """
        started_s = self.clock.monotonic()
        config, clock = self.config, self.clock
        async with AsyncExitStack() as stack:
            database = await stack.enter_async_context(self._database())
            await migrate(database)
            keyring = await open_keyring(KeyStore(database), config, self.secrets)
            users, bridges = UserStore(database), BridgeStore(database)
            await self._ensure_admin(users)
            await bridges.load()
            session = await stack.enter_async_context(connections.open_session(self.egress))
            public = await stack.enter_async_context(connections.open_public_session(self.egress))
            registry, rounds = Registry(METRICS), RoundEvents()
            beside = await stack.enter_async_context(BackgroundTasks(clock, registry))
            # Pipelines ask whom a job names and egress allows; the chain is asked at the configured endpoints only.
            endpoints = EgressConnector(self.config.rpc_hosts, limit=_MOST_REQUESTS)
            asking = await stack.enter_async_context(aiohttp.ClientSession(connector=endpoints, auto_decompress=False))
            states = ContractStateStore(database)
            kept_rounds = RoundStore(database, clock)
            oracle_metrics = OracleMetrics(registry)
            recorder = RoundRecorder(kept_rounds, clock, oracle_metrics.hops)
            chains = await self._chains(stack, beside, keyring, database, states, asking, recorder)
            announcements = AnnouncementStore(database)
            host = await self._host(keyring, announcements)
            runs = RunStore(database, config.job_pipeline.max_successful_runs)
            sources = await self._sources(database, bridges, (session, public), runs, recorder)
            protocol = PostgresProtocolStore(database)
            groups = PeerGroups(host, config.p2p)
            watches = ContractConfigWatches(chains, ContractConfigStore(database), clock)
            oracles = OracleDelegate(keyring, chains, groups, sources, watches, protocol, oracle_metrics, rounds)
            rules, runner = JobRules(config, keyring, bridges), PipelineRunner(sources)
            delegates = Delegates(oracles, BootstrapDelegate(groups, watches), runner)
            spawner = JobSpawner(rules, JobStore(database), delegates, clock)
            node_metrics.show(registry, chains, host, spawner, kept_rounds)
            flushed = (sources.last_observations, sources.bridge_answers, runs, announcements, states, kept_rounds)
            transactions = [TransactionStore(database, number) for number in chains]
            write_behind = WriteBehind(flushed, protocol, transactions, kept_rounds, clock)
            stack.push_async_callback(write_behind.flush)
            await stack.enter_async_context(_listening(host, config))
            stack.push_async_callback(spawner.stop_all)
            await spawner.start_all()
            beside.start("write behind", write_behind.run)

            health = Health(chains, spawner, database, registry)
            server = MeshServer(self.name, self.socket, tcp=self.tcp, registry=registry, drain_s=_DRAIN_S)
            shown_rounds = KeptRounds(kept_rounds, spawner.pipeline, sources.fetcher)
            servicer = OracleServicer(host, chains, spawner, rounds, shown_rounds)
            server.add(add_OracleServiceServicer_to_server, servicer, FULL_NAME)
            await server.start()
            token = self.secrets.prometheus.auth_token
            sessions, accounts = Sessions(users, config.web_server, clock), EvmKeys(keyring, chains)
            sent = TransactionLog(database)
            answered = NodeAnswers(config, keyring, accounts, chains, bridges, spawner, runs, sent)
            controllers = (
                Monitoring(health, registry, token.text if token else None),
                NodeInformation(config, users),
                Chains(chains),
                accounts,
                IdentityKeys(keyring),
                Bridges(bridges, spawner),
                Jobs(spawner),
                Runs(runs, spawner, runner, may_run_any=self.may_run_any),
                Transactions(sent),
                GraphQl(answered.fields(), sessions.require),
            )
            api = application.create(sessions, controllers, config.web_server)
            await stack.enter_async_context(await self._web_server(api))
            health.ready = True
            _log.info("booted", seconds=round(clock.monotonic() - started_s, 2), peer_id=host.peer_id)
            await server.serve_until_signal()
            health.ready = False

    @asynccontextmanager
    async def _database(self) -> AsyncIterator[Database]:
        url = self.secrets.database.url.text
        connections = min(self.config.database.max_open_conns, _MOST_CONNECTIONS)
        async with Database.connect(url, max_connections=connections, deadline_s=_DATABASE_DEADLINE_S) as database:
            yield database

    async def _ensure_admin(self, users: UserStore) -> None:
        if self.credentials is not None:
            await users.ensure_admin(self.credentials.email, self.credentials.password.text)
        elif not await users.any():
            raise SettingInvalid(
                "--api", "nothing", "API credentials must be supplied: a file with e-mail and password"
            )

    async def _chains(
        self,
        stack: AsyncExitStack,
        beside: BackgroundTasks,
        keyring: Keyring,
        database: Database,
        states: ContractStateStore,
        session: aiohttp.ClientSession,
        recorder: RoundRecorder,
    ) -> Mapping[int, EvmChain]:
        chains = {}
        for settings in self.config.evm:
            if settings.enabled:
                transactions = TransactionStore(database, settings.number)
                follow = recorder.transaction
                chain = EvmChain(
                    settings, keyring.evm, transactions, states, session=session, clock=self.clock, follow=follow
                )
                chains[settings.number] = chain
                stack.push_async_callback(chain.close)
                beside.start(f"heads of chain {settings.number}", chain.run)
                await chain.resume()
        return chains

    async def _host(self, keyring: Keyring, announcements: AnnouncementStore) -> Host:
        v2 = self.config.p2p.v2
        return Host(
            PeerKey.from_bytes(keyring.identity(self.config.p2p.peer_id).seed),
            listen=v2.listen_addresses,
            announce=v2.announce_addresses,
            delta_dial_s=v2.delta_dial_s,
            delta_reconcile_s=v2.delta_reconcile_s,
            clock=self.clock,
            known=await announcements.load(),
            on_announcements=announcements.note,
        )

    async def _sources(
        self,
        database: Database,
        bridges: BridgeStore,
        sessions: tuple[aiohttp.ClientSession, aiohttp.ClientSession],
        runs: RunStore,
        recorder: RoundRecorder,
    ) -> ObservationSources:
        request = self.config.job_pipeline.http_request
        session, public = sessions
        fetcher = Fetcher(
            session,
            bridges.url,
            default_timeout_s=request.default_timeout_s,
            max_bytes=request.max_size_bytes,
            bridge_cache_ttl_s=self.config.web_server.bridge_cache_ttl_s,
            public=public,
        )
        bridge_answers = BridgeAnswerStore(database, self.clock)
        await bridge_answers.load()
        return ObservationSources(fetcher, recorder, bridge_answers, LastObservationStore(database), runs, self.clock)

    async def _web_server(self, api: web.Application) -> HttpServer:
        settings = self.config.web_server
        host, port = settings.listen_ip, settings.http_port
        try:
            # A body that says it is compressed is not unpacked, as the real node does not.
            return await listen(api, host, port, drain_s=_DRAIN_S, auto_decompress=False)
        except OSError as error:
            raise FailedPrecondition(f"WebServer.HTTPPort: cannot listen on {host}:{port}: {error}") from error


@asynccontextmanager
async def _listening(host: Host, config: Config) -> AsyncIterator[None]:
    try:
        await host.start()
    except OSError as error:
        places = ", ".join(config.p2p.v2.listen_addresses)
        raise FailedPrecondition(f"P2P.V2.ListenAddresses: cannot listen on {places}: {error}") from error
    try:
        yield
    finally:
        await host.close()

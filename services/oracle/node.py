"""
The node as a whole: what starts after what, and how it ends.

    database ─▶ migrations ─▶ keyring ─▶ keys of secrets.toml ─▶ administrator ─▶ chains (heads, accounts)
        ─▶ P2P host ─▶ jobs of the database ─▶ gRPC ─▶ REST          "port answers" means "all has started"

It ends in the reverse order on SIGTERM or SIGINT: first nobody can ask any more, then the jobs stop, then the network
closes, then what is still in memory is written. A background task that breaks ends the node, and with it the process:
its supervisor starts it anew.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
from aiohttp import web

from chainlink.rpc.client import RpcClient
from chainlink.rpc.endpoints import Endpoint
from feedmesh.oracle.v1.oracle_service_pb2_grpc import add_OracleServiceServicer_to_server
from meshkit import log
from meshkit.clock import Clock
from meshkit.errors import FailedPrecondition
from meshkit.metrics import Registry
from meshkit.server import MeshServer
from services.oracle.background import Background, background
from services.oracle.chain.heads import HeadTracker
from services.oracle.chain.settings import EvmSettings
from services.oracle.errors import DatabaseUnavailable, SettingInvalid
from services.oracle.health import Health
from services.oracle.keys.imports import open_keyring
from services.oracle.keys.ring import Keyring
from services.oracle.metrics import METRICS, OracleMetrics
from services.oracle.p2p.host import Host
from services.oracle.p2p.identity import PeerKey
from services.oracle.pipeline.fetch import Fetcher
from services.oracle.rest import app
from services.oracle.rounds import Rounds
from services.oracle.service import FULL_NAME, OracleServicer
from services.oracle.settings import ApiCredentials, Config, Secrets
from services.oracle.spawner import JobSpawner
from services.oracle.store.announcements import AnnouncementStore
from services.oracle.store.answers import AnswerStore
from services.oracle.store.bridges import BridgeStore
from services.oracle.store.contract_configs import ContractConfigStore
from services.oracle.store.database import Database
from services.oracle.store.jobs import JobStore
from services.oracle.store.keys import KeyStore
from services.oracle.store.migrations import migrate
from services.oracle.store.protocol import PostgresProtocolStore
from services.oracle.store.runs import RunStore
from services.oracle.store.transactions import TransactionStore
from services.oracle.store.users import UserStore
from services.oracle.surroundings import Chain, Surroundings

_log = log.get_logger(__name__)
_DATABASE_DEADLINE_S = 60.0
# Statements take a millisecond, and each connection costs the server several megabytes.
_MOST_CONNECTIONS = 6
_FLUSH_EVERY_S = 5.0
_PRUNE_EVERY_S = 600.0
# Settled transactions, and reports that nobody came back to transmit.
_KEEP_S = 24 * 3600.0
_DRAIN_S = 1.0


@dataclass(frozen=True, slots=True)
class Node:
    """Hold what a node is started with."""

    config: Config
    secrets: Secrets
    credentials: ApiCredentials | None
    socket: Path
    name: str
    clock: Clock

    async def run(self) -> None:
        """
        Run the node until a signal.

        Raises:
            MeshError: when it cannot start, naming what is in the way.
        """
        started_s = self.clock.monotonic()
        async with AsyncExitStack() as stack:
            database = await stack.enter_async_context(
                Database.connect(
                    self.secrets.database.url.get_secret_value(),
                    max_connections=min(self.config.database.max_open_conns, _MOST_CONNECTIONS),
                    deadline_s=_DATABASE_DEADLINE_S,
                )
            )
            await migrate(database)
            keyring = await open_keyring(KeyStore(database), self.config, self.secrets)
            users, bridges = UserStore(database), BridgeStore(database)
            await self._ensure_admin(users)
            await bridges.load()
            session = await stack.enter_async_context(
                aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=200), auto_decompress=False)
            )
            beside = await stack.enter_async_context(background())
            around = await self._surroundings(stack, beside, database, keyring, bridges, session)
            spawner = JobSpawner(around, JobStore(database), bridges)
            stack.push_async_callback(self._flush, around)
            await stack.enter_async_context(_listening(around.host, self.config))
            stack.push_async_callback(spawner.stop_all)
            await spawner.start_all()
            beside.start(self._write_behind(around))

            health = Health(around, spawner, database)
            server = MeshServer(self.name, self.socket, registry=around.registry, drain_s=_DRAIN_S)
            server.add(add_OracleServiceServicer_to_server, OracleServicer(around, spawner), FULL_NAME)
            await server.start()
            token = self.secrets.prometheus.auth_token
            backend = app.Backend(around, spawner, bridges, users, health, token.get_secret_value() if token else None)
            await stack.enter_async_context(self._web_server(backend))
            health.ready = True
            _log.info("booted", seconds=round(self.clock.monotonic() - started_s, 2), peer_id=around.host.peer_id)
            await server.serve_until_signal()
            health.ready = False

    async def _ensure_admin(self, users: UserStore) -> None:
        if self.credentials is not None:
            await users.ensure_admin(self.credentials.email, self.credentials.password.get_secret_value())
        elif not await users.any():
            raise SettingInvalid(
                "--api", "nothing", "API credentials must be supplied: a file with e-mail and password"
            )

    async def _surroundings(
        self,
        stack: AsyncExitStack,
        beside: Background,
        database: Database,
        keyring: Keyring,
        bridges: BridgeStore,
        session: aiohttp.ClientSession,
    ) -> Surroundings:
        config, request = self.config, self.config.job_pipeline.http_request
        chains = {
            settings.number: await self._chain(stack, beside, database, settings, session)
            for settings in config.evm
            if settings.enabled
        }
        identity = keyring.identity(config.p2p.peer_id)
        announcements = AnnouncementStore(database)
        v2 = config.p2p.v2
        host = Host(
            PeerKey.from_bytes(identity.seed),
            listen=v2.listen_addresses,
            announce=v2.announce_addresses,
            delta_dial_s=v2.delta_dial_s,
            delta_reconcile_s=v2.delta_reconcile_s,
            clock=self.clock,
            known=await announcements.load(),
            on_announcements=announcements.note,
        )

        def bridge_url(name: str) -> str | None:
            bridge = bridges.get(name)
            return bridge.url if bridge else None

        fetcher = Fetcher(
            session,
            bridge_url,
            default_timeout_s=request.default_timeout_s,
            max_bytes=request.max_size_bytes,
            bridge_cache_ttl_s=config.web_server.bridge_cache_ttl_s,
        )
        registry = Registry(METRICS)
        around = Surroundings(
            config=config,
            keyring=keyring,
            host=host,
            chains=chains,
            fetcher=fetcher,
            answers=AnswerStore(database),
            announcements=announcements,
            runs=RunStore(database, config.job_pipeline.max_successful_runs),
            contract_configs=ContractConfigStore(database),
            protocol=PostgresProtocolStore(database),
            rounds=Rounds(),
            registry=registry,
            metrics=OracleMetrics(registry),
            clock=self.clock,
        )
        for chain in chains.values():
            for address in keyring.evm:
                await around.account(chain, address).resume()
        return around

    async def _chain(
        self,
        stack: AsyncExitStack,
        beside: Background,
        database: Database,
        settings: EvmSettings,
        session: aiohttp.ClientSession,
    ) -> Chain:
        endpoints = [Endpoint(n.name, n.http_url, n.ws_url, n.send_only, n.order) for n in settings.nodes]
        if all(endpoint.send_only for endpoint in endpoints):
            raise SettingInvalid(f"EVM[{settings.chain_id}].Nodes", "send-only nodes", "at least one without SendOnly")
        threshold = settings.node_pool.sync_threshold
        rpc = RpcClient(session, endpoints, settings.number, sync_threshold=threshold)
        heads = HeadTracker(
            rpc,
            self.clock,
            settings.head_interval_s,
            session=session,
            watch_s=settings.pool_interval_s,
            sync_threshold=threshold,
        )
        beside.start(heads.run())
        chain = Chain(settings, rpc, heads, TransactionStore(database, settings.number), {})

        async def close_accounts() -> None:
            await asyncio.gather(*(account.close() for account in chain.accounts.values()))

        stack.push_async_callback(close_accounts)
        return chain

    async def _flush(self, around: Surroundings) -> None:
        for store in (around.answers, around.runs, around.announcements):
            try:
                await store.flush()
            except DatabaseUnavailable as error:
                _log.warning("not_written", store=type(store).__name__, error=str(error))

    async def _write_behind(self, around: Surroundings) -> None:
        pruned_s = self.clock.monotonic()
        while True:
            await self.clock.sleep(_FLUSH_EVERY_S)
            await self._flush(around)
            if self.clock.monotonic() - pruned_s >= _PRUNE_EVERY_S:
                pruned_s = self.clock.monotonic()
                await self._prune(around)

    async def _prune(self, around: Surroundings) -> None:
        try:
            await around.protocol.delete_pending_before(self.clock.time_ms() - int(_KEEP_S * 1000))
            for chain in around.chains.values():
                await chain.transactions.prune(_KEEP_S)
        except DatabaseUnavailable as error:
            _log.warning("not_pruned", error=str(error))

    @asynccontextmanager
    async def _web_server(self, backend: app.Backend) -> AsyncIterator[None]:
        settings = self.config.web_server
        runner = web.AppRunner(
            app.create(backend, settings, self.clock), access_log=None, handle_signals=False, shutdown_timeout=_DRAIN_S
        )
        await runner.setup()
        try:
            try:
                await web.TCPSite(runner, settings.listen_ip, settings.http_port).start()
            except OSError as error:
                place = f"{settings.listen_ip}:{settings.http_port}"
                raise FailedPrecondition(f"WebServer.HTTPPort: cannot listen on {place}: {error}") from error
            yield
        finally:
            await runner.cleanup()


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

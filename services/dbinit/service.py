"""DatabaseService: protos outside, the domain inside."""

import asyncio
from collections.abc import Iterable
from typing import Any

import grpc.aio

from feedmesh.dbinit.v1 import database_service_pb2 as pb
from feedmesh.dbinit.v1 import database_service_pb2_grpc as rpc
from services.dbinit.bootstrap import bootstrap
from services.dbinit.config import Settings
from services.dbinit.databases import provision
from services.dbinit.databases.connection import reach
from services.dbinit.databases.isolation_check import check
from services.dbinit.databases.session import HOST

NAME = pb.DESCRIPTOR.services_by_name["DatabaseService"].full_name

Context = grpc.aio.ServicerContext[Any, Any]


class DatabaseService(rpc.DatabaseServiceServicer):
    """Answer for one cluster; the verbs that change it wait for each other."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._changing = asyncio.Lock()

    async def Bootstrap(self, request: pb.BootstrapRequest, context: Context) -> pb.BootstrapResponse:
        """Make the cluster if it does not exist."""
        async with self._changing:
            done = await asyncio.to_thread(bootstrap, self._settings)
        return pb.BootstrapResponse(created=done.created, data_directory=str(done.data_directory), version=done.version)

    async def Provision(self, request: pb.ProvisionRequest, context: Context) -> pb.ProvisionResponse:
        """Make roles and databases, and set passwords again."""
        async with self._changing:
            done = await provision.provision(self._settings)
        return pb.ProvisionResponse(databases=_databases(done.databases), created_count=done.created_count)

    async def ListDatabases(
        self,
        request: pb.ListDatabasesRequest,
        context: Context,
    ) -> pb.ListDatabasesResponse:
        """Return the databases of the nodes."""
        return pb.ListDatabasesResponse(databases=_databases(await provision.list_databases(self._settings)))

    async def Check(self, request: pb.CheckRequest, context: Context) -> pb.CheckResponse:
        """Prove the isolation by trying."""
        found = await check(self._settings)
        return pb.CheckResponse(
            isolated=not found.violations,
            violations=found.violations,
            server_version=found.server_version,
            checksum_failures=found.checksum_failures,
            databases=_databases(found.databases),
            connections=found.connections,
            max_connections=found.max_connections,
        )

    async def GetConnection(self, request: pb.GetConnectionRequest, context: Context) -> pb.GetConnectionResponse:
        """Write the file with the node's password and tell the rest."""
        found = await asyncio.to_thread(reach, self._settings, request.node)
        return pb.GetConnectionResponse(
            host=HOST,
            port=self._settings.port,
            database=found.name,
            role=found.name,
            password_file=str(found.password_file),
            program_directory=str(found.program_directory),
        )


def _databases(databases: Iterable[provision.Database]) -> list[pb.Database]:
    return [
        pb.Database(
            name=database.name,
            node=database.node,
            size_bytes=database.size_bytes,
            connections=database.connections,
            can_login=database.can_login,
            checksum_failures=database.checksum_failures,
        )
        for database in databases
    ]

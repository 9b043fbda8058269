"""`feedmesh balances`: what the faucet and the transmitters have, and for how many transmissions that is enough."""

from datetime import UTC, datetime
from pathlib import Path

from rich.table import Table

from cli import terminal
from cli.json_output import as_json_values, print_json
from cli.sockets import socket_of
from feedmesh.operator.v1 import operator_service_pb2 as operator_pb
from feedmesh.operator.v1 import operator_service_pb2_grpc as operator_grpc
from meshkit.listings.balances import COLUMNS, dry, footer, rows
from meshkit.rpc.client import channel


async def balances(run_dir: Path, as_json: bool) -> None:
    """Show all balances."""
    async with channel(socket_of(run_dir, "operator")) as connection:
        listed = await operator_grpc.OperatorServiceStub(connection).ListBalances(operator_pb.ListBalancesRequest())
    if as_json:
        print_json(as_json_values(listed))
        return
    console = terminal.console()
    console.print(table(listed))
    console.print(footer(listed))
    if said := dry(listed, datetime.now(UTC)):
        console.print(said)


def table(listed: operator_pb.ListBalancesResponse) -> Table:
    """Return one row for each account."""
    shown = Table(*COLUMNS, box=None, pad_edge=False)
    for row in rows(listed):
        shown.add_row(*row)
    return shown

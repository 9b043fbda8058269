"""`feedmesh balances`: what the faucet and the transmitters have, and for how many transmissions that is enough."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from rich.table import Table

from cli import terminal
from cli.json_output import as_json_values, print_json
from cli.sockets import socket_of
from feedmesh.operator.v1 import operator_service_pb2 as operator_pb
from feedmesh.operator.v1 import operator_service_pb2_grpc as operator_grpc
from meshkit.rpc.client import channel

_WEI = Decimal(10**18)
_LONGEST_DAYS = 36_525


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
    """Return one row for each account; the faucet transmits nothing, so no number of transmissions is its."""
    cost_wei, least_wei = int(listed.transmission_cost_wei or 0), int(listed.minimum_wei or 0)
    shown = Table("account", "balance", "transmissions", "a day", "days left", "", "address", box=None, pad_edge=False)
    for index, balance in enumerate(listed.balances):
        wei = int(balance.balance_wei)
        enough = str(wei // cost_wei) if cost_wei and index else ""
        a_day = _ether(int(balance.spent_a_day_wei)) if balance.spent_a_day_wei else ""
        left = f"{balance.days_left:.1f}" if balance.HasField("days_left") else ""
        low = "low" if index and wei < least_wei else ""
        shown.add_row(balance.name, _ether(wei), enough, a_day, left, low, balance.address)
    return shown


def footer(listed: operator_pb.ListBalancesResponse) -> str:
    """Return what a transmission costs, and what of that its bytes cost on the chain below, in words."""
    cost_wei, fee_wei = int(listed.transmission_cost_wei or 0), int(listed.l1_fee_wei or 0)
    below = f", {_ether(fee_wei)} of it for its bytes on the chain below" if fee_wei else ""
    return f"a transmission costs up to {_ether(cost_wei)}{below}"


def dry(listed: operator_pb.ListBalancesResponse, now: datetime) -> str:
    """Return when the faucet will be empty, in words; nothing if nobody knows, or it lasts for more than a century."""
    faucet = next(iter(listed.balances), None)
    if faucet is None or not faucet.HasField("days_left") or faucet.days_left > _LONGEST_DAYS:
        return ""
    return f"the faucet runs dry on {now + timedelta(days=faucet.days_left):%Y-%m-%d}, if all spend as they do"


def _ether(wei: int) -> str:
    return f"{Decimal(wei) / _WEI:f}"

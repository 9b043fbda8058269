"""The money of a mesh as people read it, in `feedmesh balances` and on the page."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from feedmesh.operator.v1 import operator_service_pb2 as pb

COLUMNS: Final = ("account", "balance", "transmissions", "a day", "days left", "", "address")
_WEI: Final = Decimal(10**18)
_LONGEST_DAYS: Final = 36_525


def rows(listed: pb.ListBalancesResponse) -> Iterator[tuple[str, ...]]:
    """Yield a text for each column of each account; the faucet transmits nothing, so no transmissions are its."""
    cost_wei, least_wei = int(listed.transmission_cost_wei or 0), int(listed.minimum_wei or 0)
    for index, balance in enumerate(listed.balances):
        wei = int(balance.balance_wei)
        enough = str(wei // cost_wei) if cost_wei and index else ""
        a_day = _ether(int(balance.spent_a_day_wei)) if balance.spent_a_day_wei else ""
        left = f"{balance.days_left:.1f}" if balance.HasField("days_left") else ""
        low = "low" if index and wei < least_wei else ""
        yield (balance.name, _ether(wei), enough, a_day, left, low, balance.address)


def footer(listed: pb.ListBalancesResponse) -> str:
    """Return what a transmission costs, and what of that its bytes cost on the chain below, in words."""
    cost_wei, fee_wei = int(listed.transmission_cost_wei or 0), int(listed.l1_fee_wei or 0)
    below = f", {_ether(fee_wei)} of it for its bytes on the chain below" if fee_wei else ""
    return f"a transmission costs up to {_ether(cost_wei)}{below}"


def dry(listed: pb.ListBalancesResponse, now: datetime) -> str:
    """Return when the faucet will be empty, in words; nothing if nobody knows, or it lasts for more than a century."""
    faucet = next(iter(listed.balances), None)
    if faucet is None or not faucet.HasField("days_left") or faucet.days_left > _LONGEST_DAYS:
        return ""
    return f"the faucet runs dry on {now + timedelta(days=faucet.days_left):%Y-%m-%d}, if all spend as they do"


def _ether(wei: int) -> str:
    return f"{Decimal(wei) / _WEI:f}"

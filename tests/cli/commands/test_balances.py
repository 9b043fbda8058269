"""What `feedmesh balances` shows."""

import io
from datetime import UTC, datetime

from rich.console import Console

from cli.commands.balances import table
from feedmesh.operator.v1 import operator_service_pb2 as pb
from meshkit.listings.balances import dry, footer

COST_WEI = 500_000 * 10**9 + 10**14


def listed(**more: str) -> pb.ListBalancesResponse:
    """Return the faucet's balance and those of a rich and of a poor transmitter."""
    accounts = {"faucet": 10**22, "chainlink-node-2": 25 * 10**15, "chainlink-node-3": 5 * 10**15}
    return pb.ListBalancesResponse(
        balances=[pb.Balance(name=name, address=f"0x{name}", balance_wei=str(wei)) for name, wei in accounts.items()],
        **more,
    )


def rows(response: pb.ListBalancesResponse) -> list[list[str]]:
    """Return the words of every row but the first."""
    console = Console(file=io.StringIO(), width=200)
    console.print(table(response))
    file = console.file
    assert isinstance(file, io.StringIO)
    return [line.split() for line in file.getvalue().splitlines()[1:]]


def test_balances_with_fees_of_the_chain_below() -> None:
    """A transmitter's balance is shown in transmissions, one under the minimum as low, the faucet's as neither."""
    response = listed(transmission_cost_wei=str(COST_WEI), l1_fee_wei=str(10**14), minimum_wei=str(10 * COST_WEI))

    assert [
        ["faucet", "10000", "0xfaucet"],
        ["chainlink-node-2", "0.025", "41", "0xchainlink-node-2"],
        ["chainlink-node-3", "0.005", "8", "low", "0xchainlink-node-3"],
    ] == rows(response)
    assert "a transmission costs up to 0.0006, 0.0001 of it for its bytes on the chain below" == footer(response)


def test_what_is_spent_and_how_long_it_lasts() -> None:
    """A known rate is shown with the days that are left, and the day on which the faucet is empty is said."""
    response = listed(transmission_cost_wei=str(COST_WEI), minimum_wei="1")
    for balance, days in zip(response.balances, (12.25, 2.5), strict=False):
        balance.spent_a_day_wei, balance.days_left = str(10**16), days

    assert [
        ["faucet", "10000", "0.01", "12.2", "0xfaucet"],
        ["chainlink-node-2", "0.025", "41", "0.01", "2.5", "0xchainlink-node-2"],
        ["chainlink-node-3", "0.005", "8", "0xchainlink-node-3"],
    ] == rows(response)
    now = datetime(2026, 11, 28, 20, tzinfo=UTC)
    assert "the faucet runs dry on 2026-12-11, if all spend as they do" == dry(response, now)
    response.balances[0].days_left = 1e12
    assert ["", "", ""] == [dry(response, now), dry(listed(), now), dry(pb.ListBalancesResponse(), now)]


def test_an_operator_of_before() -> None:
    """One that tells no cost is shown without."""
    assert [["faucet", "10000", "0xfaucet"], ["chainlink-node-2", "0.025", "0xchainlink-node-2"]] == rows(listed())[:2]

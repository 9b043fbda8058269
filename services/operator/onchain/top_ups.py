"""Which transmitters need a top-up, and which of these the faucet can pay: values in, values out."""

from collections.abc import Mapping, Sequence

from services.operator.config import FundingSettings
from services.operator.errors import FaucetEmpty, TopupRequired
from services.operator.nodes.identity import NodeIdentity
from services.operator.onchain.transactions import Transaction
from services.operator.onchain.transmission_cost import TransmissionCost

_TRANSFER_GAS = 21_000
# The settings are made for what gas costs: where a transmission's bytes cost too, so many must be paid for.
_TRANSMISSIONS_HELD, _TRANSMISSIONS_PAID = 10, 50


def minimum_wei(settings: FundingSettings, cost: TransmissionCost) -> int:
    """Return the balance under which a transmitter is topped up."""
    return max(settings.minimum_wei, _TRANSMISSIONS_HELD * cost.wei if cost.l1_fee_wei else 0)


def amount_wei(settings: FundingSettings, cost: TransmissionCost) -> int:
    """Return how much a top-up is; 0 where the settings want none."""
    if not settings.topup_wei:
        return 0
    return max(settings.topup_wei, _TRANSMISSIONS_PAID * cost.wei if cost.l1_fee_wei else 0)


def wanted(
    settings: FundingSettings,
    transmitters: Sequence[NodeIdentity],
    balances_wei: Mapping[str, int],
    cost: TransmissionCost,
) -> tuple[Transaction, ...]:
    """Return one transfer for each transmitter whose balance, by address, is under the minimum."""
    amount = amount_wei(settings, cost)
    if not amount:
        return ()
    least = minimum_wei(settings, cost)
    return tuple(
        Transaction(f"top-up of {node.name}", node.transmitter_address, value_wei=amount, gas=_TRANSFER_GAS)
        for node in transmitters
        if balances_wei[node.transmitter_address] < least
    )


def affordable(
    transfers: Sequence[Transaction],
    faucet: str,
    faucet_wei: int,
    cost: TransmissionCost,
    *,
    required: bool = False,
) -> tuple[Transaction, ...]:
    """
    Return the transfers in their order as far as the faucet can pay them and their fees.

    Raises:
        FaucetEmpty: when it cannot pay even the first.
        TopupRequired: when it cannot pay all, and all are `required`.
    """
    paid: list[Transaction] = []
    left = faucet_wei
    for transfer in transfers:
        left -= transfer.value_wei + cost.of_transfer_wei
        if left < 0:
            break
        paid.append(transfer)
    if required and len(paid) < len(transfers):
        raise TopupRequired(faucet, faucet_wei, tuple(transfer.purpose for transfer in transfers[len(paid) :]))
    if transfers and not paid:
        raise FaucetEmpty(faucet, faucet_wei, tuple(transfer.purpose for transfer in transfers))
    return tuple(paid)

"""Which transmitters need a top-up, and which of these the faucet can pay: values in, values out."""

from collections.abc import Mapping, Sequence

from services.operator.config import FundingSettings
from services.operator.errors import FaucetEmpty, TopupRequired
from services.operator.funding.transmission_cost import TransmissionCost
from services.operator.nodes.identity import NodeIdentity
from services.operator.onchain.transactions import Transaction

_TRANSFER_GAS = 21_000
# The settings are made for the configured price of gas: where gas or a transmission's bytes cost more, so many must be
# paid for.
_TRANSMISSIONS_HELD, _TRANSMISSIONS_PAID = 10, 50


def minimum_wei(settings: FundingSettings, cost: TransmissionCost) -> int:
    """Return the balance under which a transmitter is topped up."""
    return max(settings.minimum_wei, _TRANSMISSIONS_HELD * cost.wei if _is_dearer(settings, cost) else 0)


def amount_wei(settings: FundingSettings, cost: TransmissionCost) -> int:
    """Return how much a top-up is; 0 where the settings want none."""
    if not settings.topup_wei:
        return 0
    return max(settings.topup_wei, _TRANSMISSIONS_PAID * cost.wei if _is_dearer(settings, cost) else 0)


def _is_dearer(settings: FundingSettings, cost: TransmissionCost) -> bool:
    """Tell whether a transmission costs more than the settings were made for."""
    usual_wei = settings.usual_gas_price_wei
    return bool(cost.l1_fee_wei) or (usual_wei is not None and cost.gas_price_wei > usual_wei)


def wanted(
    settings: FundingSettings,
    transmitters: Sequence[NodeIdentity],
    balances_wei: Mapping[str, int],
    cost: TransmissionCost,
    faucet_nonce: int | None = None,
) -> tuple[Transaction, ...]:
    """
    Return one transfer for each transmitter whose balance, by address, is under the minimum.

    `faucet_nonce` is the faucet's in the block of the balances: what it has sent since may be these transfers.
    """
    amount = amount_wei(settings, cost)
    if not amount:
        return ()
    least = minimum_wei(settings, cost)
    return tuple(
        Transaction(
            f"top-up of {node.name}",
            node.transmitter_address,
            value_wei=amount,
            gas=_TRANSFER_GAS,
            only_after=faucet_nonce,
        )
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

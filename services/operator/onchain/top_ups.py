"""Which transmitters need a top-up, and which of these the faucet can pay: values in, values out."""

from collections.abc import Mapping, Sequence

from services.operator.config import FundingSettings
from services.operator.errors import FaucetEmpty, TopupRequired
from services.operator.nodes.identity import NodeIdentity
from services.operator.onchain.transactions import Transaction

_TRANSFER_GAS = 21_000


def wanted(
    settings: FundingSettings, transmitters: Sequence[NodeIdentity], balances_wei: Mapping[str, int]
) -> tuple[Transaction, ...]:
    """Return one transfer for each transmitter whose balance, by address, is under the minimum."""
    if not settings.topup_wei:
        return ()
    return tuple(
        Transaction(f"top-up of {node.name}", node.transmitter_address, value_wei=settings.topup_wei, gas=_TRANSFER_GAS)
        for node in transmitters
        if balances_wei[node.transmitter_address] < settings.minimum_wei
    )


def affordable(
    transfers: Sequence[Transaction], faucet: str, faucet_wei: int, gas_price_wei: int, *, required: bool = False
) -> tuple[Transaction, ...]:
    """
    Return the transfers in their order as far as the faucet can pay them and their gas.

    Raises:
        FaucetEmpty: when it cannot pay even the first.
        TopupRequired: when it cannot pay all, and all are `required`.
    """
    paid: list[Transaction] = []
    left = faucet_wei
    for transfer in transfers:
        left -= transfer.value_wei + _TRANSFER_GAS * gas_price_wei
        if left < 0:
            break
        paid.append(transfer)
    if required and len(paid) < len(transfers):
        raise TopupRequired(faucet, faucet_wei, tuple(transfer.purpose for transfer in transfers[len(paid) :]))
    if transfers and not paid:
        raise FaucetEmpty(faucet, faucet_wei, tuple(transfer.purpose for transfer in transfers))
    return tuple(paid)

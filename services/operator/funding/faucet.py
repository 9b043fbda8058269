"""Pay the transmitters' top-ups out of the faucet's account."""

from collections.abc import Callable

from meshkit.clock import Clock
from meshkit.errors import MeshError
from services.operator.concurrently import together
from services.operator.config import OperatorConfig
from services.operator.errors import TopupRequired
from services.operator.funding import top_ups
from services.operator.funding.transmission_cost import TransmissionCost, TransmissionCosts
from services.operator.nodes.identity import NodeIdentity, OracleIdentity
from services.operator.onchain.chain import Chain
from services.operator.onchain.transactions import Sender
from services.operator.outcome import Outcome

_PART = "faucet"


class Faucet:
    """
    Look at the transmitters' balances now and then, and send what they lack.

    Balances and the faucet's nonce are of one block, and a top-up is sent only while all that the faucet has sent since
    is known to be something else: so neither one that still waits, of this process or of one before, nor an endpoint
    that is behind has a shortage paid for twice.

    Attributes:
        last_cost: What a transmission cost when that was last asked, None before.
    """

    def __init__(
        self,
        config: OperatorConfig,
        oracles: tuple[OracleIdentity, ...],
        chain: Chain,
        sender: Sender,
        clock: Clock,
        paid: Callable[[NodeIdentity, int], None] = lambda _node, _wei: None,
    ) -> None:
        self._most_gas_price_wei = config.chain.most_gas_price_wei
        self._paid = paid
        self._settings = config.funding
        self._transmitters = [oracle.node for oracle in oracles]
        self._chain = chain
        self._sender = sender
        self._costs = TransmissionCosts(chain, len(oracles))
        self._clock = clock
        self._next_look_s = 0.0
        self.last_cost: TransmissionCost | None = None

    async def cost(self) -> TransmissionCost:
        """Return what a transmission costs now."""
        self.last_cost = await self._costs.now(self._sender.gas_price_wei, self._most_gas_price_wei)
        return self.last_cost

    async def run(self) -> Outcome:
        """
        Top up transmitters if it is time to look again; an error stands under `faucet`.

        Raises:
            TopupRequired: when the faucet cannot pay, and the configuration says that this ends everything.
        """
        if self._clock.monotonic() < self._next_look_s:
            return Outcome()
        try:
            addresses = [self._sender.address, *(node.transmitter_address for node in self._transmitters)]
            head = (await self._chain.head()).number
            balances = await together(self._chain.balance_wei(address, head) for address in addresses)
            nonce = await self._chain.mined_nonce(self._sender.address, head)
            cost = await self.cost()
            by_address = dict(zip(addresses, balances, strict=True))
            wanted = top_ups.wanted(self._settings, self._transmitters, by_address, cost, nonce)
            transfers = top_ups.affordable(
                wanted, self._sender.address, balances[0], cost, required=self._settings.required
            )
        except TopupRequired:
            raise
        except MeshError as error:
            return Outcome(errors={_PART: error})
        nodes = {node.transmitter_address: node for node in self._transmitters}
        changes: list[str] = []
        errors: dict[str, MeshError] = {}
        for transfer, receipt in zip(transfers, await self._sender.send_all(transfers), strict=True):
            if isinstance(receipt, MeshError):
                errors[_PART] = receipt
            else:
                changes.append(f"{transfer.purpose} by {transfer.value_wei} wei")
                self._paid(nodes[str(transfer.to)], transfer.value_wei)
        if not errors:
            self._next_look_s = self._clock.monotonic() + self._settings.interval_ms / 1000
        return Outcome(tuple(changes), errors)

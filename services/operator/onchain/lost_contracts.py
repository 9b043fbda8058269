"""
Find contracts again that were deployed and are known no more, since the file of their addresses was lost.

An address follows from who deployed a contract, and under which nonce: it is the last 20 bytes of
keccak(rlp([account, nonce])).
So whatever the faucet's account has deployed is found by asking for code at the addresses of its nonces.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from types import MappingProxyType

from chainlink import rlp
from meshkit import log
from meshkit.errors import MeshError
from meshkit.ethereum.address import checksummed
from meshkit.ethereum.keccak import keccak256
from services.operator.concurrently import together
from services.operator.config import FeedTarget, OperatorConfig
from services.operator.errors import ChainUnavailable, UnusableContract
from services.operator.onchain import feed_contract
from services.operator.onchain.chain import Chain
from services.operator.onchain.contract_changes import ContractState
from services.operator.onchain.known_contracts import KnownContract, KnownContracts
from services.operator.outcome import Outcome

# Contracts come before the years of top-ups and configurations; so many answers take seconds.
_MOST_NONCES = 10_000
_ASKED_AT_ONCE = 32

_log = log.get_logger(__name__)


class LostContracts:
    """
    Look once for a mesh's contracts if its keys are from an earlier start and no file says where its contracts are.

    With new keys there can be no contracts of ours, and a file that has the chain, be it without feeds, is believed.
    """

    def __init__(
        self,
        config: OperatorConfig,
        chain: Chain,
        known: KnownContracts,
        deployer: str,
        ours: Iterable[str],
        *,
        keys_are_new: bool,
    ) -> None:
        self._config = config
        self._chain = chain
        self._known = known
        self._deployer = deployer
        self._ours = frozenset(address.lower() for address in ours)
        self._refused: dict[str, MeshError] = {}
        self._is_over = keys_are_new or known.has_chain or not config.deploy_contracts

    async def run(self) -> Outcome:
        """
        Find and remember the contracts of the feeds that none is configured for; an error stands under the feed's name.

        Nothing may be deployed while there is an error. Where a feed has several contracts, a person has to say which
        it is. Raises ChainUnavailable, and UnwritableSecrets.
        """
        if self._is_over:
            return Outcome(errors=MappingProxyType(self._refused))
        wanted = [feed for feed in self._config.feeds if feed.address is None]
        found = await self._search(wanted) if wanted else {}
        # What lists us was in use, whatever else was left half made.
        in_use = {feed: [state for state in states if state.oracles] or states for feed, states in found.items()}
        only = {feed: states[0] for feed, states in in_use.items() if len(states) == 1}
        self._known.put_all(
            {
                feed: KnownContract(state.address, state.config_digest, state.config_count)
                for feed, state in only.items()
            }
        )
        self._refused = {feed: self._refusal(feed, states) for feed, states in in_use.items() if feed not in only}
        self._is_over = True
        changes = tuple(f"contract of {feed} found again at {state.address}" for feed, state in only.items())
        return Outcome(changes, MappingProxyType(self._refused))

    async def _search(self, feeds: list[FeedTarget]) -> Mapping[str, list[ContractState]]:
        nonces = await self._chain.mined_nonce(self._deployer)
        if (waiting := await self._chain.next_nonce(self._deployer) - nonces) > 0:
            what = (
                f"{waiting} transactions of an earlier start wait for a block, and may be contracts; waiting for them"
            )
            raise ChainUnavailable("looking for contracts", what)
        if not nonces:
            return {}
        searched = min(nonces, _MOST_NONCES)
        _log.warning("contracts_unknown_searching", deployer=self._deployer, nonces=nonces, searched=searched)
        by_name = {(feed.name, feed.decimals) for feed in feeds}
        found: dict[str, list[ContractState]] = defaultdict(list)
        for first in range(0, searched, _ASKED_AT_ONCE):
            batch = [address_of(self._deployer, nonce) for nonce in range(first, min(first + _ASKED_AT_ONCE, searched))]
            codes = await together(map(self._chain.has_code, batch))
            deployed = [address for address, has_code in zip(batch, codes, strict=True) if has_code]
            for state in await together(feed_contract.state(self._chain, address) for address in deployed):
                if state is not None and (state.description, state.decimals) in by_name and self._is_ours(state):
                    found[state.description].append(state)
        _log.warning("contracts_found_again", feeds=len(found), of=len(feeds))
        return found

    def _is_ours(self, state: ContractState) -> bool:
        """Tell whether a contract lists an oracle of ours, or none yet."""
        return not state.oracles or any(address.lower() in self._ours for address in state.oracles)

    def _refusal(self, feed: str, states: list[ContractState]) -> UnusableContract:
        listed = ", ".join(state.address for state in states)
        return UnusableContract(
            feed,
            f"the file of contract addresses was lost, and there are {len(states)} contracts of this feed ({listed}); "
            "bring back contracts.json (feedmesh restore), or name the one in use in solution.mesh.contracts.addresses",
        )


def address_of(deployer: str, nonce: int) -> str:
    """Return the EIP-55 address of the contract that an account makes with the transaction of a nonce."""
    return checksummed(keccak256(rlp.encode([bytes.fromhex(deployer.removeprefix("0x")), nonce]))[12:].hex())

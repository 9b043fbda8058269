"""What the chain demands of a configuration: timings, checksums of addresses, gas."""

from collections.abc import Iterator
from typing import Final, Protocol

from meshkit.configuration.faults.problem import Place, Problem, Remark
from meshkit.configuration.solution import Solution
from meshkit.ethereum.address import checksummed
from meshkit.ocr.timing import timing_minimums

TRANSMISSION_GAS: Final = 500_000
"""The gas that nodes offer for one transmission, which a transmitter must be able to pay."""
_NS_PER_MS: Final = 1_000_000


def problems(solution: Solution) -> Iterator[Problem]:
    """Yield what the chain, its contracts or every oracle would refuse."""
    yield from _timings(solution)
    yield from _addresses(solution)
    yield from _top_up(solution)


def remarks(solution: Solution) -> Iterator[Remark]:
    """Yield what may leave a transmitter without gas although each top-up is large enough."""
    cost_wei = TRANSMISSION_GAS * solution.chainlink_gas_price
    if solution.faucet_min_wei < cost_wei <= solution.faucet_topup_wei:
        text = f"a transmitter with less than {cost_wei} wei, which one transmission may cost, may not be topped up"
        yield Remark("solution.faucetMinWei", text)


def _timings(solution: Solution) -> Iterator[Problem]:
    ocr = solution.mesh.ocr
    for name, found_ms, allowed in too_short(ocr, solution.chainlink_chain_id):
        place = ("solution", "mesh", "ocr", str(type(ocr).model_fields[name].alias))
        yield Problem(place, str(found_ms), allowed, because=(("solution", "chainlinkChainId"),))


class Durations(Protocol):
    """What the least timings of chains are about, in milliseconds."""

    @property
    def delta_c_ms(self) -> int: ...  # noqa: D102
    @property
    def delta_stage_ms(self) -> int: ...  # noqa: D102
    @property
    def delta_round_ms(self) -> int: ...  # noqa: D102
    @property
    def delta_progress_ms(self) -> int: ...  # noqa: D102
    @property
    def delta_resend_ms(self) -> int: ...  # noqa: D102


def too_short(durations: Durations, chain_id: int) -> Iterator[tuple[str, int, str]]:
    """Yield each duration that a chain's oracles refuse for its shortness: name, value, and what is allowed."""
    least = timing_minimums(chain_id)
    for name, found_ms, least_ns in (
        ("delta_c_ms", durations.delta_c_ms, least.delta_c_ns),
        ("delta_stage_ms", durations.delta_stage_ms, least.delta_stage_ns),
        ("delta_round_ms", durations.delta_round_ms, least.delta_round_ns),
        ("delta_progress_ms", durations.delta_progress_ms, least.delta_progress_ns),
        ("delta_resend_ms", durations.delta_resend_ms, least.delta_resend_ns),
    ):
        if found_ms * _NS_PER_MS < least_ns:
            least_ms = least_ns // _NS_PER_MS
            allowed = f"at least {least_ms} on chain {chain_id} ({least.name}), or every oracle refuses it"
            yield name, found_ms, allowed


def _addresses(solution: Solution) -> Iterator[Problem]:
    given: dict[Place, str | None] = {
        ("solution", "chainlinkNodeScAddress"): solution.__dict__["chainlink_node_sc_address"],
        ("solution", "linkCa"): solution.__dict__["link_ca"],
        ("solution", "adminContractAddress"): solution.__dict__["admin_contract_address"],
        ("solution", "diamondContractAddress"): solution.__dict__["diamond_contract_address"],
    }
    owners: dict[str, str] = {}
    for feed, contract in solution.mesh.contracts.addresses.items():
        at: Place = ("solution", "mesh", "contracts", "addresses", feed)
        given[at] = contract
        if (owner := owners.setdefault(contract.lower(), feed)) != feed:
            yield Problem(at, f"{contract}, the contract of {owner}", "a contract for each feed of its own")
    for place, address in given.items():
        if address is None or address == (right := checksummed(address)):
            continue
        letters = address[2:]
        lacks = letters in (letters.lower(), letters.upper())
        # Where there was a checksum, the address has a typing error, and one must not guess what it was to be.
        allowed = f"the same with its checksum: {right}" if lacks else "an address whose checksum is right (EIP-55)"
        yield Problem(place, f"{address}, {'without' if lacks else 'with a wrong'} checksum", allowed)


def _top_up(solution: Solution) -> Iterator[Problem]:
    price_wei, topup_wei = solution.chainlink_gas_price, solution.faucet_topup_wei
    cost_wei = TRANSMISSION_GAS * price_wei
    if topup_wei < cost_wei:
        allowed = f"at least {cost_wei}, one transmission of {TRANSMISSION_GAS} gas at chainlinkGasPrice {price_wei}"
        place = ("solution", "faucetTopupWei")
        yield Problem(place, str(topup_wei), allowed, because=(("solution", "chainlinkGasPrice"),))

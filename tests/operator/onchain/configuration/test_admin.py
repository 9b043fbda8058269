"""Contracts whose configuration has two parts: who sets which, and how the admin becomes it."""

from dataclasses import replace
from pathlib import Path

import pytest

from chainlink.contract import aggregator
from chainlink.contract.abi_codec import AbiCodec
from chainlink.contract.artifact import load
from chainlink.contract.shape import ContractShape
from chainlink.ocr.contract_config import OcrConfig
from meshkit.clock import SystemClock
from meshkit.paths import DataDir, SecretsDir
from services.operator.config import OperatorConfig
from services.operator.errors import TransactionReverted, UnusableCertificate, UnusableContract
from services.operator.nodes import prepare_nodes
from services.operator.nodes.identity import oracles
from services.operator.nodes.prepare_nodes import Preparation
from services.operator.onchain import feed_contract
from services.operator.onchain.chain import Chain, Receipt
from services.operator.onchain.configuration.admin import LEADER, Admin
from services.operator.onchain.configuration.order_certificates import BUNDLE_FILE, KEY_FILE, LEAF_FILE
from services.operator.onchain.contract_setup import ContractSetup
from services.operator.onchain.known_contracts import KnownContracts
from services.operator.onchain.transactions import Sender, Transaction
from services.operator.outcome import Outcome
from tests.operator.anvil import CHAIN_ID
from tests.operator.order import SOLUTION, write_order

_ZERO = "0x" + "00" * 20
_AGGREGATOR, _HELPER = (AbiCodec(load(f"split/{name}")) for name in ("SplitConfigAggregator", "AdminHelper"))
_ROOT = 2


async def _deploy(sender: Sender, data: bytes) -> str:
    (receipt,) = await sender.send_all([Transaction("deployment", None, data)])
    assert isinstance(receipt, Receipt), receipt
    return str(receipt.contract)


@pytest.fixture(name="split")
async def _split(config: OperatorConfig, chain: Chain, sender: Sender) -> OperatorConfig:
    """Give a configuration with two feeds whose contracts take oracles from the admin only, and his certificates."""
    helper = await _deploy(sender, _HELPER.deployment(_ROOT, SOLUTION))
    addresses = [
        await _deploy(
            sender,
            _AGGREGATOR.deployment((0, 0, 0, 0, 0, _ZERO, _ZERO), 1, 10**23, _ZERO, 8, feed.name, helper),
        )
        for feed in config.feeds[:2]
    ]
    feeds = [replace(feed, address=address) for feed, address in zip(config.feeds, addresses, strict=False)]
    write_order(config.secrets.path / "certs")
    directory = config.secrets.path / "certs"
    return replace(config, feeds=tuple(feeds), admin_contract=helper, admin_certificates=directory)


def _setup(config: OperatorConfig, prepared: Preparation, chain: Chain, owner: Sender) -> ContractSetup:
    def sender_of(key: str) -> Sender:
        return Sender(chain, key, 2 * 10**9, SystemClock(), 20)

    admin = None if config.admin_contract is None else Admin(config, chain, owner, sender_of)
    known = KnownContracts(config.secrets.contracts, CHAIN_ID)
    return ContractSetup(config, oracles(prepared.identities), chain, owner, known, admin)


async def _sent(chain: Chain, prepared: Preparation, sender: Sender) -> tuple[int, int]:
    """Return how many transactions the owner and the admin have sent."""
    leader = prepared.identities[LEADER - 1].transmitter_address
    return await chain.mined_nonce(sender.address), await chain.mined_nonce(leader)


async def test_from_nothing(split: OperatorConfig, chain: Chain, sender: Sender) -> None:
    """The owner sets timings, the admin is registered and funded once and sets oracles; then nothing is left to do."""
    prepared = await prepare_nodes.prepare(split)
    before = await _sent(chain, prepared, sender)
    outcome = await _setup(split, prepared, chain, sender).run()
    after = await _sent(chain, prepared, sender)

    assert ({}, 2) == (outcome.errors, len(outcome.changes))
    # The owner: timings of two feeds, and top-ups of the admin; the admin: registration, and oracles of two feeds.
    assert (2, 3) <= (after[0] - before[0], after[1] - before[1]) <= (4, 3)
    state = await feed_contract.state(chain, str(split.feeds[0].address))
    assert state is not None
    assert (ContractShape.SPLIT, ()) == (state.shape, state.flaws)
    assert isinstance(state.config, OcrConfig)
    assert Outcome() == await _setup(split, prepared, chain, sender).run()
    assert after == await _sent(chain, prepared, sender)


async def test_the_contract_joins_what_libocr_encodes(split: OperatorConfig, chain: Chain, sender: Sender) -> None:
    """Of both parts the contract makes the bytes and the digest that a contract of OCR1 is given, to the last byte."""
    prepared = await prepare_nodes.prepare(split)
    await _setup(split, prepared, chain, sender).run()
    address = str(split.feeds[0].address)
    (event,) = await chain.logs([address], "ConfigSet", 0, (await chain.head()).number)
    said = aggregator.config_of(address, event.fields)
    config, sealed = said.decode()

    assert config.offchain.encode(sealed) == said.encoded
    assert said.digest() == (await chain.read(address, "latestConfigDetails"))[2]
    assert (1, 1, 1) == (said.config_count, said.encoded_version, said.f)


@pytest.mark.parametrize(("change", "sent"), [("timings", (2, 0)), ("oracles", (0, 2))])
async def test_only_the_part_that_differs(
    split: OperatorConfig, chain: Chain, sender: Sender, change: str, sent: tuple[int, int]
) -> None:
    """Other timings are written by the owner alone, other oracles by the admin alone, who is registered already."""
    prepared = await prepare_nodes.prepare(split)
    await _setup(split, prepared, chain, sender).run()
    changed, others = split, prepared
    if change == "timings":
        changed = replace(split, ocr=replace(split.ocr, delta_c_ms=20_000))
    else:
        bootstrap, first, second, *rest = prepared.nodes
        swapped = (
            replace(first, identity=replace(first.identity, ocr=second.identity.ocr)),
            replace(second, identity=replace(second.identity, ocr=first.identity.ocr)),
        )
        others = replace(prepared, nodes=(bootstrap, *swapped, *rest))
    before = await _sent(chain, prepared, sender)
    outcome = await _setup(changed, others, chain, sender).run()
    after = await _sent(chain, prepared, sender)

    assert ({}, 2) == (outcome.errors, len(outcome.changes))
    assert sent == (after[0] - before[0], after[1] - before[1])
    assert Outcome() == await _setup(changed, others, chain, sender).run()


async def test_another_owner_keeps_his_policy(split: OperatorConfig, chain: Chain, sender: Sender) -> None:
    """Who does not own the contracts leaves their timings alone, and says in what they differ."""
    prepared = await prepare_nodes.prepare(split)
    await _setup(split, prepared, chain, sender).run()
    stranger = Sender(chain, "ef" * 32, 2 * 10**9, SystemClock(), 20)
    before = await _sent(chain, prepared, sender)
    setup = _setup(replace(split, ocr=replace(split.ocr, delta_c_ms=20_000)), prepared, chain, stranger)

    assert Outcome() == await setup.run()
    assert setup.is_configured("BTC / USD")
    assert ("delta_c_ns is 10000000000, ours 20000000000",) == setup.differences("BTC / USD")
    assert before == await _sent(chain, prepared, sender)


async def test_timings_of_another_owner_that_nobody_obeys(split: OperatorConfig, chain: Chain, sender: Sender) -> None:
    """Timings that every oracle refuses are told with their owner, and no oracles are sent again and again."""
    prepared = await prepare_nodes.prepare(split)
    await _setup(split, prepared, chain, sender).run()
    data = _AGGREGATOR.call("setConsensusConfig", *(1, 1, 1, 1, 1), 1, 1, 1, 1)
    await sender.send_all([Transaction("bad timings", split.feeds[0].address, data)])
    stranger = Sender(chain, "ef" * 32, 2 * 10**9, SystemClock(), 20)
    before = await _sent(chain, prepared, sender)
    outcome = await _setup(split, prepared, chain, stranger).run()

    assert ["BTC / USD"] == list(outcome.errors)
    assert f"the owner of its contract, {sender.address}, has set: deltaGrace" in str(outcome.errors["BTC / USD"])
    assert before == await _sent(chain, prepared, sender)


async def test_no_contract_of_the_admin(split: OperatorConfig, chain: Chain, sender: Sender) -> None:
    """Without adminContractAddress such feeds say that it is missing."""
    prepared = await prepare_nodes.prepare(split)
    outcome = await _setup(replace(split, admin_contract=None), prepared, chain, sender).run()

    assert [feed.name for feed in split.feeds] == list(outcome.errors)
    assert all(isinstance(error, UnusableContract) for error in outcome.errors.values())
    assert all("solution.adminContractAddress" in str(error) for error in outcome.errors.values())


@pytest.mark.parametrize("name", [LEAF_FILE, BUNDLE_FILE, KEY_FILE])
@pytest.mark.parametrize("content", [None, b"nothing"])
async def test_a_certificate_that_is_missing(
    split: OperatorConfig, chain: Chain, sender: Sender, name: str, content: bytes | None
) -> None:
    """The file that is missing or damaged is named, and neither account has paid for oracles."""
    prepared = await prepare_nodes.prepare(split)
    path: Path = split.admin_certificates / name
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    outcome = await _setup(split, prepared, chain, sender).run()

    assert [feed.name for feed in split.feeds] == list(outcome.errors)
    assert all(isinstance(error, UnusableCertificate) for error in outcome.errors.values())
    assert all(f"{path} " in str(error) for error in outcome.errors.values())
    assert 0 == (await _sent(chain, prepared, sender))[1]


async def test_the_key_of_another_certificate(split: OperatorConfig, chain: Chain, sender: Sender) -> None:
    """A key that is not that of the order's certificate is told before anything is sent."""
    prepared = await prepare_nodes.prepare(split)
    write_order(split.secrets.path / "others")
    (split.admin_certificates / KEY_FILE).write_bytes((split.secrets.path / "others" / KEY_FILE).read_bytes())
    outcome = await _setup(split, prepared, chain, sender).run()

    assert all(f"is not the key of {LEAF_FILE}" in str(error) for error in outcome.errors.values())
    assert 2 == len(outcome.errors)


async def test_another_solution(split: OperatorConfig, chain: Chain, sender: Sender) -> None:
    """A certificate of another solution is refused by the contract, whose reason is told; the admin pays nothing."""
    prepared = await prepare_nodes.prepare(split)
    write_order(split.admin_certificates, solution=bytes(31) + b"\1")
    outcome = await _setup(split, prepared, chain, sender).run()

    assert all(isinstance(error, TransactionReverted) for error in outcome.errors.values())
    assert 2 == len(outcome.errors)
    assert all("Only authorized solution" in str(error) for error in outcome.errors.values())


async def test_a_later_admin_takes_over(split: OperatorConfig, chain: Chain, sender: Sender) -> None:
    """Where another account has become admin since, this one registers again when it is needed, with the next nonce."""
    prepared = await prepare_nodes.prepare(split)
    await _setup(split, prepared, chain, sender).run()
    place = split.secrets.path / "elsewhere"
    usurper = replace(split, secrets=SecretsDir(place), data=DataDir(place / "data"), replace_oracles=True)
    theirs = await prepare_nodes.prepare(usurper)
    assert {} == (await _setup(usurper, theirs, chain, sender).run()).errors
    outcome = await _setup(replace(split, replace_oracles=True), prepared, chain, sender).run()

    assert ({}, 2) == (outcome.errors, len(outcome.changes))

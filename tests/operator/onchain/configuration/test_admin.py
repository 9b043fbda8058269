"""Contracts whose configuration has two parts: who sets which, and how the admin becomes it."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509

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
from tests.operator.anvil import CHAIN_ID, Anvil
from tests.operator.order import END, HELPER, Order, helper_deployment, issue

_ZERO = "0x" + "00" * 20
_AGGREGATOR = AbiCodec(load("split/SplitConfigAggregator"))


async def _send(sender: Sender, transaction: Transaction) -> str:
    (receipt,) = await sender.send_all([transaction])
    assert isinstance(receipt, Receipt), receipt
    return str(receipt.contract)


@pytest.fixture(name="order")
def _order() -> Order:
    """Give the order whose root the contract knows."""
    return Order()


@pytest.fixture(name="split")
async def _split(config: OperatorConfig, chain: Chain, sender: Sender, order: Order) -> OperatorConfig:
    """Give a configuration with two feeds whose contracts take oracles from the admin only, and his certificates."""
    helper = await _send(sender, helper_deployment())
    for each in (Order(), order):
        await _send(sender, each.registration(helper))
    billing = (0, 0, 0, 0, 0, _ZERO, _ZERO)
    deployments = [_AGGREGATOR.deployment(billing, 1, 10**23, _ZERO, 8, feed.name, helper) for feed in config.feeds[:2]]
    addresses = [await _send(sender, Transaction("contract", None, data)) for data in deployments]
    feeds = [replace(feed, address=address) for feed, address in zip(config.feeds, addresses, strict=False)]
    order.write(config.secrets.path / "certs")
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
    Order().write(split.secrets.path / "others")
    (split.admin_certificates / KEY_FILE).write_bytes((split.secrets.path / "others" / KEY_FILE).read_bytes())
    outcome = await _setup(split, prepared, chain, sender).run()

    assert all(f"is not the key of {LEAF_FILE}" in str(error) for error in outcome.errors.values())
    assert 2 == len(outcome.errors)


def _replaced(**certificates: Callable[[Order], x509.Certificate]) -> Callable[[Order], None]:
    """Return what puts other certificates in the places of an order's."""

    def change(order: Order) -> None:
        for place, make in certificates.items():
            setattr(order, place, make(order))

    return change


_PAST, _FAR = datetime(2025, 1, 1, tzinfo=UTC), datetime(2050, 1, 1, tzinfo=UTC)
_REFUSALS = {
    "another solution": (
        _replaced(leaf=lambda each: each.leaf_until(END, solution=b"\1" * 32)),
        "Only authorized solution",
    ),
    "an expired leaf": (_replaced(leaf=lambda each: each.leaf_until(_PAST)), "Certificate is expired"),
    "an expired authority": (_replaced(authority=lambda each: each.authority_until(_PAST)), "Certificate is expired"),
    "an authority that may issue nothing": (
        _replaced(authority=lambda each: each.authority_until(END, ca=False)),
        "Intermediate certificate does not have ca flag",
    ),
    "a date of another form": (
        _replaced(leaf=lambda each: each.leaf_until(_FAR)),
        "Only 13 and 19 bytes are supported date formats",
    ),
    "a root that the contract does not know": (
        _replaced(authority=lambda each: issue("authority", each.authority_key, "root", each.leaf_key)),
        "Invalid signature",
    ),
}


@pytest.mark.parametrize("kind", _REFUSALS)
async def test_certificates_that_the_contract_refuses(
    kind: str, split: OperatorConfig, order: Order, chain: Chain, sender: Sender
) -> None:
    """The contract's reason is told, with each certificate's name, number and end; the admin pays nothing."""
    change, reason = _REFUSALS[kind]
    prepared = await prepare_nodes.prepare(split)
    change(order)
    order.write(split.admin_certificates, [order.authority])
    outcome = await _setup(split, prepared, chain, sender).run()

    assert [feed.name for feed in split.feeds] == list(outcome.errors)
    for error in outcome.errors.values():
        assert isinstance(error, TransactionReverted)
        assert reason in str(error)
        for each in (order.leaf, order.authority):
            end = f"{each.not_valid_after_utc:%Y-%m-%dT%H:%M:%SZ}"
            assert f"(serial number {each.serial_number:x}, valid until {end}" in str(error)
    assert 0 == (await _sent(chain, prepared, sender))[1]


@pytest.mark.parametrize(
    ("blocked", "reason"),
    [
        ("leaf", "Certificate is blacklisted"),
        ("authority", "Certificate is blacklisted"),
        ("root", "Root certificate is blacklisted"),
    ],
)
async def test_blocked_certificates(
    blocked: str, reason: str, split: OperatorConfig, order: Order, chain: Chain, sender: Sender
) -> None:
    """A certificate, its issuer's or the root whose number was blocked registers nobody, and that is told."""
    prepared = await prepare_nodes.prepare(split)
    number = getattr(order, blocked).serial_number
    item = number.to_bytes(number.bit_length() // 8 + 1, "big")
    data = HELPER.call("setCertsBlacklist", [(item, True)])
    await _send(sender, Transaction("blocking", split.admin_contract, data))
    outcome = await _setup(split, prepared, chain, sender).run()

    assert 2 == len(outcome.errors)
    assert all(reason in str(error) for error in outcome.errors.values())


async def test_a_root_that_has_expired(
    split: OperatorConfig, order: Order, chain: Chain, sender: Sender, anvil: Anvil
) -> None:
    """Certificates that outlive their root are refused when its time is over."""
    short = Order()
    short.root = issue("root", short.root_key, "root", short.root_key, end=datetime(2048, 1, 1, tzinfo=UTC))
    helper = str(split.admin_contract)
    prepared = await prepare_nodes.prepare(split)
    await _send(sender, short.registration(helper))
    short.write(split.admin_certificates)
    snapshot = await anvil.call("evm_snapshot")
    await anvil.call("evm_setNextBlockTimestamp", int(datetime(2048, 2, 1, tzinfo=UTC).timestamp()))
    await anvil.call("evm_mine")
    outcome = await _setup(split, prepared, chain, sender).run()
    await anvil.call("evm_revert", snapshot)

    assert 2 == len(outcome.errors)
    assert all("Root certificate is expired" in str(error) for error in outcome.errors.values())


async def test_no_root_is_registered(split: OperatorConfig, chain: Chain, sender: Sender) -> None:
    """A contract that knows no root at all says so."""
    prepared = await prepare_nodes.prepare(split)
    empty = await _send(sender, helper_deployment())
    outcome = await _setup(replace(split, admin_contract=empty), prepared, chain, sender).run()

    assert 2 == len(outcome.errors)
    assert all("Root certificate is not exist" in str(error) for error in outcome.errors.values())


@pytest.mark.parametrize("shape", ["turned round", "with strangers", "twice", "without the root", "with a renewed one"])
async def test_bundles_of_any_order(
    shape: str, split: OperatorConfig, order: Order, chain: Chain, sender: Sender
) -> None:
    """Certificates are shown in the order of their signatures, whatever else the bundle has and in which order."""
    stranger = Order()
    bundle = {
        "turned round": [order.root, order.authority],
        "with strangers": [stranger.root, issue("x", stranger.leaf_key, "root", stranger.root_key), order.authority],
        "twice": [order.leaf, order.authority, order.authority, order.root, order.root],
        "without the root": [order.authority],
        "with a renewed one": [order.authority_until(_PAST), order.authority],
    }[shape]
    order.write(split.admin_certificates, bundle)
    prepared = await prepare_nodes.prepare(split)

    assert {} == (await _setup(split, prepared, chain, sender).run()).errors


async def test_an_authority_that_has_not_signed(
    split: OperatorConfig, order: Order, chain: Chain, sender: Sender
) -> None:
    """A bundle whose certificate has the right name and another key is told before the contract is asked."""
    order.write(split.admin_certificates, [Order().authority])
    prepared = await prepare_nodes.prepare(split)
    outcome = await _setup(split, prepared, chain, sender).run()

    bundle = split.admin_certificates / BUNDLE_FILE
    told = f"{bundle} has the certificate of 'CN=authority', which has not signed 'CN=leaf'"
    assert 2 == len(outcome.errors)
    assert all(told in str(error) for error in outcome.errors.values())


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

"""Deploying and configuring the feeds' contracts, on a real chain."""

import shutil
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from chainlink.errors import UnwritableSecrets
from chainlink.identities import key_changes
from meshkit.clock import SystemClock
from meshkit.errors import MeshError
from meshkit.paths import SecretsDir
from services.operator.config import OperatorConfig
from services.operator.errors import (
    ChainUnavailable,
    ForeignOracles,
    IdentitiesRefused,
    TransactionReverted,
    UnusableContract,
)
from services.operator.nodes import prepare_nodes
from services.operator.nodes.identity import oracles
from services.operator.nodes.prepare_nodes import Preparation
from services.operator.onchain.chain import Chain, Receipt
from services.operator.onchain.contract_setup import ContractSetup
from services.operator.onchain.known_contracts import KnownContracts
from services.operator.onchain.lost_contracts import address_of
from services.operator.onchain.transactions import Sender, Transaction
from services.operator.outcome import Outcome
from tests.operator.anvil import CHAIN_ID, FAUCET_KEY, Anvil

_BTC = "BTC / USD"


def _setup(config: OperatorConfig, prepared: Preparation, chain: Chain, sender: Sender) -> ContractSetup:
    known = KnownContracts(config.secrets.contracts, CHAIN_ID)
    return ContractSetup(config, oracles(prepared.identities), chain, sender, known)


def _address(setup: ContractSetup, config: OperatorConfig, index: int = 0) -> str:
    record = setup.record(config.feeds[index])
    assert record is not None
    return record.address


async def test_a_pass_says_what_it_did(
    config: OperatorConfig, prepared: Preparation, chain: Chain, sender: Sender
) -> None:
    """Deployments, then configurations, each in words and in the feeds' order; the next pass has nothing to do."""
    setup = _setup(config, prepared, chain, sender)
    outcome = await setup.run()

    names = [feed.name for feed in config.feeds]
    assert [f"contract of {name} deployed" for name in names] == [
        text.partition(" at ")[0] for text in outcome.changes[:3]
    ]
    assert [f"contract of {name} configured" for name in names] == [
        text.partition(", ")[0] for text in outcome.changes[3:]
    ]
    assert {} == outcome.errors
    assert (True, True) == (setup.is_deployed(_BTC), setup.is_configured(_BTC))
    assert setup.looked.is_set()
    assert Outcome() == await setup.run()


async def test_a_contract_is_lost_only_after_several_looks(
    config: OperatorConfig, prepared: Preparation, chain: Chain, sender: Sender, anvil: Anvil
) -> None:
    """An endpoint that lags may not know a contract yet: one is deployed anew only when it is missing thrice."""
    setup = _setup(config, prepared, chain, sender)
    await setup.run()
    lost = _address(setup, config)
    await anvil.call("anvil_setCode", lost, "0x")
    for _ in range(2):
        outcome = await setup.run()

        assert [_BTC] == list(outcome.errors)
        assert isinstance(outcome.errors[_BTC], ChainUnavailable)
        assert lost == _address(setup, config)
    outcome = await setup.run()

    assert {} == outcome.errors
    assert 2 == len(outcome.changes)
    assert lost != _address(setup, config)


async def test_one_feeds_failure_is_its_own(
    config: OperatorConfig,
    prepared: Preparation,
    chain: Chain,
    sender: Sender,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A deployment that reverts stands under its feed and is configured by nobody; the other feeds are set up."""
    send_all = sender.send_all

    async def spoil(transactions: Sequence[Transaction], *rest: Any) -> list[Receipt | MeshError]:
        spoilt = [
            replace(one, data=bytes.fromhex("60006000fd")) if one.purpose == "deployment of ETH / USD" else one
            for one in transactions
        ]
        return await send_all(spoilt, *rest)

    monkeypatch.setattr(sender, "send_all", spoil)
    # One a batch: of several that wait for each other, those behind a failure share it.
    setup = _setup(replace(config, transaction_batch=1), prepared, chain, sender)
    outcome = await setup.run()

    assert ["ETH / USD"] == list(outcome.errors)
    assert isinstance(outcome.errors["ETH / USD"], TransactionReverted)
    assert 4 == len(outcome.changes)
    assert not [text for text in outcome.changes if "ETH / USD" in text]
    assert (True, False) == (setup.is_configured("EUR / USD"), setup.is_deployed("ETH / USD"))


async def test_a_deployment_is_found_after_a_kill(
    config: OperatorConfig, prepared: Preparation, chain: Chain, sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Contracts whose operator was killed before it saw their receipts are the next one's: none is paid for twice."""

    class Killed(BaseException):
        """The process is no more."""

    async def never(*_: object) -> None:
        raise Killed

    first = await chain.next_nonce(sender.address)
    with monkeypatch.context() as patch:
        patch.setattr(chain, "receipt", never)
        with pytest.raises(Killed):
            await _setup(config, prepared, chain, sender).run()
    # The last of them may still wait for its block.
    deployed = await chain.next_nonce(sender.address)
    assert len(config.feeds) == deployed - first
    again = _setup(config, prepared, chain, Sender(chain, FAUCET_KEY, 2 * 10**9, SystemClock(), 20))
    outcome = await again.run()

    assert {} == outcome.errors
    assert [f"contract of {feed.name} configured" for feed in config.feeds] == [
        text.partition(", ")[0] for text in outcome.changes
    ]
    made = {address_of(sender.address, nonce) for nonce in range(first, deployed)}
    assert made == {_address(again, config, index) for index in range(len(config.feeds))}


async def test_what_must_not_be_deployed(
    config: OperatorConfig, prepared: Preparation, chain: Chain, sender: Sender
) -> None:
    """Without the right to deploy every feed without a contract has an error of its own, and nothing is sent."""
    before = await chain.next_nonce(sender.address)
    outcome = await _setup(replace(config, deploy_contracts=False), prepared, chain, sender).run()

    assert [feed.name for feed in config.feeds] == list(outcome.errors)
    assert {UnusableContract} == {type(error) for error in outcome.errors.values()}
    assert ((), before) == (outcome.changes, await chain.next_nonce(sender.address))


async def test_other_nodes_than_the_contracts_list_are_refused(
    config: OperatorConfig, prepared: Preparation, chain: Chain, sender: Sender
) -> None:
    """Nodes with new keys are not put in the place of those that the contracts list, unless that is allowed."""
    await _setup(config, prepared, chain, sender).run()
    before = await chain.next_nonce(sender.address)
    others = await prepare_nodes.prepare(config)
    with pytest.raises(IdentitiesRefused, match=r"cl-secrets has not .* and 2 other .*feedmesh restore"):
        await _setup(config, others, chain, sender).run()

    assert before == await chain.next_nonce(sender.address)
    outcome = await _setup(replace(config, replace_oracles=True), others, chain, sender).run()
    assert ({}, 3) == (outcome.errors, len(outcome.changes))


async def test_a_rotated_key_is_written_into_the_contracts(
    config: OperatorConfig, chain: Chain, sender: Sender
) -> None:
    """A node whose old keys are kept as retired gets its new ones into every contract by itself."""
    before = await prepare_nodes.prepare(config)
    await _setup(config, before, chain, sender).run()
    names = ("evm_key.json", "ocr_key.json")
    key_changes.rotate(config.secrets.node(3), names, config.credentials.keystore_password, 2, datetime.now(UTC))
    after = await prepare_nodes.prepare(config)
    outcome = await _setup(config, after, chain, sender).run()

    assert ({}, 3) == (outcome.errors, len(outcome.changes))
    assert before.identities[2] != after.identities[2]


async def test_one_contract_of_others_is_that_feeds_error(
    config: OperatorConfig, prepared: Preparation, chain: Chain, sender: Sender
) -> None:
    """Where the other feeds' contracts list these nodes, a contract that lists others costs its own feed alone."""
    others = await prepare_nodes.prepare(config)
    elsewhere = replace(config, feeds=config.feeds[:1], secrets=SecretsDir(config.secrets.path / "others"))
    theirs = _setup(elsewhere, others, chain, sender)
    await theirs.run()
    shutil.rmtree(config.secrets.nodes)
    named = replace(config.feeds[0], address=_address(theirs, config))
    mixed = replace(config, feeds=(named, *config.feeds[1:]))
    await _setup(replace(mixed, feeds=mixed.feeds[1:]), prepared, chain, sender).run()
    outcome = await _setup(mixed, prepared, chain, sender).run()

    assert {_BTC: ForeignOracles} == {feed: type(error) for feed, error in outcome.errors.items()}
    assert () == outcome.changes


async def test_nothing_is_deployed_that_cannot_be_remembered(
    config: OperatorConfig, prepared: Preparation, chain: Chain, sender: Sender
) -> None:
    """Where the contracts' addresses cannot be kept, no contract is deployed; contracts that are there are served."""
    setup = _setup(config, prepared, chain, sender)
    await setup.run()
    addresses = [_address(setup, config, index) for index in range(3)]
    config.secrets.contracts.unlink()
    # Where its next content would be written.
    config.secrets.contracts.with_name(".contracts.json.new").mkdir()
    feeds = [replace(feed, address=address) for feed, address in zip(config.feeds, addresses, strict=True)]
    named = replace(config, feeds=tuple(feeds))
    before = await chain.next_nonce(sender.address)
    refused, served = [await _setup(each, prepared, chain, sender).run() for each in (config, named)]

    assert {UnwritableSecrets} == {type(error) for error in refused.errors.values()}
    assert Outcome() == served
    assert before == await chain.next_nonce(sender.address)


async def test_a_chain_that_is_away(config: OperatorConfig, prepared: Preparation, sender: Sender) -> None:
    """Without the chain there is one error under `chain`, and who waits for a first look waits no longer."""
    away = Chain(config.chain.endpoints, CHAIN_ID)
    setup = _setup(config, prepared, away, sender)
    outcome = await setup.run()
    await away.close()

    assert ["chain"] == list(outcome.errors)
    assert setup.looked.is_set()

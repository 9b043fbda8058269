from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

import pytest

from chainlink.ocr.shared_secret import SharedSecretEncryptions
from meshkit.errors import MeshError
from services.operator.config import FeedTarget, OperatorConfig
from services.operator.errors import ChainUnavailable
from services.operator.nodes.identity import OracleIdentity, oracles
from services.operator.nodes.prepare_nodes import Preparation
from services.operator.onchain import feed_contract, ocr_config
from services.operator.onchain.chain import Chain, Event
from services.operator.onchain.configuration.calls import of_ocr1
from services.operator.onchain.transactions import Sender, Transaction
from tests.operator.anvil import Anvil
from tests.operator.made import made_oracles
from tests.operator.reports import transmit

_FEED = FeedTarget("ETH / USD", 8)


@pytest.fixture(name="made")
def _made(prepared: Preparation) -> tuple[OracleIdentity, ...]:
    return oracles(prepared.identities)


async def _deploy(chain: Chain, sender: Sender) -> str:
    (receipt,) = await sender.send_all([feed_contract.deployment(chain, _FEED)])
    assert not isinstance(receipt, MeshError), receipt
    return str(receipt.contract)


async def test_a_new_contract_says_what_it_is(chain: Chain, sender: Sender) -> None:
    """A deployed contract has the feed's name and decimals, our ownership, no configuration and no answer."""
    address = await _deploy(chain, sender)
    state = await feed_contract.state(chain, address)
    assert state is not None

    assert ("ETH / USD", 8, sender.address) == (state.description, state.decimals, state.owner)
    assert (0, "", None) == (state.config_count, state.config_digest, state.config)
    assert await feed_contract.latest_answer(chain, address, 8) is None
    assert 1 == await chain.read(address, "minAnswer")
    assert 10**23 == await chain.read(address, "maxAnswer")
    assert "0x" + "00" * 20 == await chain.read(address, "getLinkToken")


async def test_a_configured_contract_reads_as_configured(
    config: OperatorConfig, chain: Chain, sender: Sender, made: tuple[OracleIdentity, ...]
) -> None:
    """What the ConfigSet event says is what was wanted, whoever encrypted the secret; a repeat counts up."""
    address = await _deploy(chain, sender)
    wanted = ocr_config.desired(made, config.ocr, 1337)
    for count in (1, 2):
        outcomes = await sender.send_all(of_ocr1(_FEED, address, wanted, made, sender.address))
        state = await feed_contract.state(chain, address)

        assert not [outcome for outcome in outcomes if isinstance(outcome, MeshError)]
        assert state is not None
        assert (count, wanted, 32) == (state.config_count, state.config, len(state.config_digest))


async def test_a_configuration_that_no_oracle_runs_with_is_none(
    config: OperatorConfig, chain: Chain, sender: Sender, made: tuple[OracleIdentity, ...]
) -> None:
    """What the contract takes but oracles refuse, here a secret for three of four, reads as no configuration."""
    address = await _deploy(chain, sender)
    wanted = ocr_config.desired(made, config.ocr, 1337)
    payees, _ = of_ocr1(_FEED, address, wanted, made, sender.address)
    keys = [oracle.ocr.config_public_key for oracle in made[:3]]
    encoded = wanted.offchain.encode(SharedSecretEncryptions.seal(bytes(16), b"\1" * 32, keys))
    data = chain.call_data("setConfig", wanted.signers, wanted.transmitters, wanted.f, wanted.version, encoded)
    outcomes = await sender.send_all([payees, Transaction("setConfig", address, data, gas=2_000_000)])
    state = await feed_contract.state(chain, address)

    assert not [outcome for outcome in outcomes if isinstance(outcome, MeshError)]
    assert state is not None
    assert (1, None) == (state.config_count, state.config)


async def test_an_event_of_another_digest_is_not_believed(
    config: OperatorConfig,
    chain: Chain,
    sender: Sender,
    made: tuple[OracleIdentity, ...],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An endpoint that tells a configuration with another digest than the contract's is not believed."""
    address = await _deploy(chain, sender)
    wanted = ocr_config.desired(made, config.ocr, 1337)
    await sender.send_all(of_ocr1(_FEED, address, wanted, made, sender.address))
    logs = chain.logs

    async def other_logs(addresses: Sequence[str], event: str, first: int, last: int) -> list[Event]:
        return [replace(one, fields=one.fields | {"threshold": 2}) for one in await logs(addresses, event, first, last)]

    monkeypatch.setattr(chain, "logs", other_logs)
    with pytest.raises(ChainUnavailable, match="another digest"):
        await feed_contract.state(chain, address)


async def test_the_largest_set_fits_its_gas(config: OperatorConfig, chain: Chain, sender: Sender) -> None:
    """31 oracles can be configured with the gas that is given without an estimate."""
    many = tuple(made_oracles(31))
    address = await _deploy(chain, sender)
    wanted = ocr_config.desired(many, config.ocr, 1337)
    outcomes = await sender.send_all(of_ocr1(_FEED, address, wanted, many, sender.address))

    assert not [outcome for outcome in outcomes if isinstance(outcome, MeshError)]


async def test_the_last_answer_is_a_price(
    config: OperatorConfig,
    chain: Chain,
    sender: Sender,
    made: tuple[OracleIdentity, ...],
    prepared: Preparation,
    anvil: Anvil,
) -> None:
    """A report that the contract accepts is read as an exact decimal with its round and time."""
    address = await _deploy(chain, sender)
    wanted = ocr_config.desired(made, config.ocr, 1337)
    await sender.send_all(of_ocr1(_FEED, address, wanted, made, sender.address))
    await transmit(anvil, chain, prepared, config, address, epoch=1, round_=1, observations=[1, 312345678901, 10**13])
    answer = await feed_contract.latest_answer(chain, address, 8)
    assert answer is not None

    assert (1, Decimal("3123.45678901")) == (answer.round_id, answer.price)
    assert (await chain.head()).time_s == answer.updated_s


async def test_no_contract_and_another_contract_are_none(chain: Chain, anvil: Anvil) -> None:
    """An address without code, or with code that is no feed, has no state."""
    other = "0x" + "77" * 20
    assert await feed_contract.state(chain, other) is None
    await anvil.call("anvil_setCode", other, "0x60006000fd")

    assert await feed_contract.state(chain, other) is None

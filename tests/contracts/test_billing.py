"""Billing: what is earned, who is paid and when, and that a feed without rates needs no LINK."""

from __future__ import annotations

import pytest
from web3.contract import Contract

from tests.contracts.feed import OWNER, STRANGER, ZERO, Chain, Feed, address, deploy_feed

GWEI = 10**9
# maximum gas price 100 gwei, reasonable 40 gwei, 5 LINK an ether, 3 and 7 LINK-gwei an observation and a transmission
RATES = (100, 40, 5_000_000, 3, 7)
PER_OBSERVATION, PER_TRANSMISSION = 3 * GWEI, 7 * GWEI


@pytest.fixture(name="link")
def _link(chain: Chain) -> Contract:
    """Give a token that anybody can mint."""
    return chain.deploy("test/LinkStub")


@pytest.fixture(name="paid")
def _paid(chain: Chain, link: Contract) -> Feed:
    """Give a configured feed with rates and plenty of LINK."""
    feed = deploy_feed(chain, rates=RATES, link=link.address)
    feed.configure()
    chain.send(link.functions.mint(feed.contract.address, 10**30))
    return feed


def test_made_known(chain: Chain, link: Contract) -> None:
    """The constructor announces rates and token; setBilling announces the new rates."""
    feed = deploy_feed(chain, rates=RATES, link=link.address)
    made = chain.w3.eth.get_logs({"address": feed.contract.address, "fromBlock": 0})

    names = {feed.contract.events[name]().topic for name in ("BillingSet", "LinkTokenSet")}
    assert names == {log["topics"][0].to_0x_hex() for log in made}
    assert list(RATES) == list(feed.contract.functions.getBilling().call())
    fields = ("maximumGasPrice", "reasonableGasPrice", "microLinkPerEth")
    fields = (*fields, "linkGweiPerObservation", "linkGweiPerTransmission")  # type: ignore[assignment]
    changed = feed.events(chain.send(feed.contract.functions.setBilling(5, 4, 3, 2, 1)))
    assert [("BillingSet", dict(zip(fields, (5, 4, 3, 2, 1), strict=True)))] == changed
    assert [5, 4, 3, 2, 1] == list(feed.contract.functions.getBilling().call())


def test_observations(paid: Feed) -> None:
    """Each listed observer earns the observation rate, whoever signed or sent."""
    f = paid.contract.functions
    call = paid.transmit_call(paid.report([1, 2, 3], observers=[3, 1, 2]))
    paid.chain.send(call, paid.transmitters[3])
    paid.chain.send(paid.transmit_call(paid.report([1, 2, 3], round_=2, observers=[3, 1, 0])), paid.transmitters[3])

    counts = [f.oracleObservationCount(t).call() for t in paid.transmitters]
    assert [1, 2, 1, 2] == counts
    assert counts == [f.oracleObservationCount(s).call() for s in paid.signers]
    owed = [f.owedPayment(t).call() for t in paid.transmitters]
    assert [PER_OBSERVATION * count for count in counts[:3]] == owed[:3]
    assert 0 == f.oracleObservationCount(STRANGER).call()
    assert (0, 0) == (f.owedPayment(STRANGER).call(), f.owedPayment(paid.signers[0]).call())
    assert 10**30 - sum(owed) == f.linkAvailableForPayment().call()


def test_gas(paid: Feed) -> None:
    """Gas is paid back up to the maximum price; below the reasonable one the transmitter gets half of what it saved."""
    f = paid.contract.functions
    paid.transmit([1, 2, 3], round_=1)
    owed = f.owedPayment(paid.transmitters[0]).call()
    gas: dict[int, float] = {}
    prices = {0: 20, 10: 25, 40: 40, 41: 41, 100: 100, 170: 100}
    for round_, (price, paid_price) in enumerate(prices.items(), start=2):
        receipt = paid.transmit([1, 2, 3], round_=round_, gas_price=price * GWEI)
        before, owed = owed, f.owedPayment(paid.transmitters[0]).call()
        back = owed - before - PER_OBSERVATION - PER_TRANSMISSION
        gas[price] = back / (paid_price * GWEI * RATES[2] / 10**6)

    # 1 % is less than the step from 40 to 41 gwei, so each price is the one that was paid.
    assert max(gas.values()) < 1.01 * min(gas.values())
    # The contract does not see the transaction's own 21000 and estimates what comes after its measurement.
    assert abs(gas[40] - (receipt["gasUsed"] - 21_000)) < 6_000


def test_full_counter(paid: Feed) -> None:
    """A counter that is full stays full, it does not start again at nothing."""
    feed, count = paid, paid.contract.functions.oracleObservationCount(paid.transmitters[0])
    feed.transmit([1, 2, 3], round_=1)
    _fill_counter(feed)
    assert 65_535 == count.call()

    feed.transmit([1, 2, 3], round_=2)

    assert 65_535 == count.call()
    assert 2 == feed.contract.functions.oracleObservationCount(feed.transmitters[1]).call()


def test_withdraw_payment(paid: Feed, link: Contract) -> None:
    """A payee draws what its oracle has earned, once."""
    paid.transmit([1, 2, 3])
    withdraw = paid.contract.functions.withdrawPayment(paid.transmitters[1])

    assert "Only payee can withdraw" == paid.chain.refusal(withdraw, paid.payees[0]).reason
    receipt = paid.chain.send(withdraw, paid.payees[1])

    assert [_paid_event(paid, link, 1, PER_OBSERVATION)] == paid.events(receipt)
    assert PER_OBSERVATION == link.functions.balanceOf(paid.payees[1]).call()
    assert 0 == paid.contract.functions.owedPayment(paid.transmitters[1]).call()
    assert 0 == paid.contract.functions.oracleObservationCount(paid.transmitters[1]).call()
    assert 1 == paid.contract.functions.oracleObservationCount(paid.transmitters[2]).call()
    assert [] == paid.events(paid.chain.send(withdraw, paid.payees[1]))


def test_withdraw_after_leaving(paid: Feed, link: Contract) -> None:
    """The payee of an oracle that is no longer configured gets nothing, and takes nothing of its successor's."""
    others = [address(f"other {i}") for i in range(4)]
    paid.chain.send(paid.contract.functions.setPayees(others, paid.payees))
    paid.chain.send(paid.contract.functions.setConfig(paid.signers, others, 1, 1, b""))
    paid.chain.send(paid.transmit_call(paid.report([1, 2, 3])), others[0])

    receipt = paid.chain.send(paid.contract.functions.withdrawPayment(paid.transmitters[0]), paid.payees[0])

    assert [] == paid.events(receipt)
    assert 0 == link.functions.balanceOf(paid.payees[0]).call()


def test_set_config_pays(paid: Feed, link: Contract) -> None:
    """A new configuration pays the old oracles first, those only who earned something."""
    paid.transmit([1, 2, 3], by=3)
    transmitter = paid.contract.functions.owedPayment(paid.transmitters[3]).call()

    events = paid.events(paid.chain.send(paid.set_config_call()))

    expected = [_paid_event(paid, link, i, PER_OBSERVATION) for i in (0, 1, 2)]
    assert [*expected, _paid_event(paid, link, 3, transmitter)] == events[:-1]
    assert "ConfigSet" == events[-1][0]
    assert [0] * 4 == [paid.contract.functions.owedPayment(t).call() for t in paid.transmitters]


def test_set_billing_pays_at_old_rates(paid: Feed, link: Contract) -> None:
    """New rates count from now on."""
    paid.transmit([1, 2, 3], by=3)

    events = paid.events(paid.chain.send(paid.contract.functions.setBilling(0, 0, 0, 1000, 0)))

    assert _paid_event(paid, link, 0, PER_OBSERVATION) == events[0]
    assert "BillingSet" == events[-1][0]
    paid.transmit([1, 2, 3], round_=2)
    assert 1000 * GWEI == paid.contract.functions.owedPayment(paid.transmitters[0]).call()


def test_billing_administration(chain: Chain, paid: Feed) -> None:
    """Rates and free funds belong to the owner and to whom the billing access controller admits."""
    f = paid.contract.functions
    access = chain.deploy("test/AccessListStub")
    calls = (f.setBilling(1, 1, 1, 1, 1), f.withdrawFunds(STRANGER, 1))

    assert [b"", b""] == [chain.refusal(call, STRANGER).data for call in calls]
    changed = paid.events(chain.send(f.setBillingAccessController(access.address)))
    assert [("BillingAccessControllerSet", {"old": ZERO, "current": access.address})] == changed
    assert [] == paid.events(chain.send(f.setBillingAccessController(access.address)))
    assert access.address == f.billingAccessController().call()
    assert ["Only owner&billingAdmin can call"] * 2 == [chain.refusal(call, STRANGER).reason for call in calls]
    chain.send(access.functions.set(STRANGER, True))
    for call in calls:
        chain.send(call, STRANGER)


def test_withdraw_funds(chain: Chain, link: Contract) -> None:
    """Only what is owed to nobody can be withdrawn."""
    feed = deploy_feed(chain, rates=(0, 0, 0, 3, 0), link=link.address)
    feed.configure()
    withdraw = feed.contract.functions.withdrawFunds
    feed.transmit([1, 2, 3])
    chain.send(link.functions.mint(feed.contract.address, 3 * PER_OBSERVATION - 1))

    assert -1 == feed.contract.functions.linkAvailableForPayment().call()
    assert "insufficient balance" == chain.refusal(withdraw(STRANGER, 0)).reason
    chain.send(link.functions.mint(feed.contract.address, 11))
    chain.send(withdraw(OWNER, 4))
    assert 4 == link.functions.balanceOf(OWNER).call()
    chain.send(withdraw(OWNER, 1000))
    assert 10 == link.functions.balanceOf(OWNER).call()
    assert 0 == feed.contract.functions.linkAvailableForPayment().call()


def test_insufficient_funds(chain: Chain, link: Contract) -> None:
    """A token that answers false stops every pay-out."""
    feed = deploy_feed(chain, rates=RATES, link=link.address)
    feed.configure()
    feed.transmit([1, 2, 3])
    f = feed.contract.functions

    assert "insufficient funds" == chain.refusal(f.withdrawPayment(feed.transmitters[1]), feed.payees[1]).reason
    assert "insufficient funds" == chain.refusal(feed.set_config_call()).reason
    assert "insufficient funds" == chain.refusal(f.setBilling(0, 0, 0, 0, 0)).reason
    chain.send(link.functions.mint(feed.contract.address, 10**30))
    chain.send(link.functions.freeze(True))
    assert "insufficient funds" == chain.refusal(f.withdrawFunds(OWNER, 1)).reason


def test_set_link_token(chain: Chain, paid: Feed, link: Contract) -> None:
    """A new token: oracles are paid in the old one, and what is left of it goes to the recipient."""
    other = chain.deploy("test/LinkStub")
    paid.transmit([1, 2, 3])
    owed = sum(paid.contract.functions.owedPayment(t).call() for t in paid.transmitters)
    recipient = address("recipient of the rest")
    change = paid.contract.functions.setLinkToken(other.address, recipient)

    events = paid.events(chain.send(change))

    assert ["OraclePaid"] * 3 == [name for name, _ in events[:3]]
    assert [("LinkTokenSet", {"oldLinkToken": link.address, "newLinkToken": other.address})] == events[3:]
    assert 10**30 - owed == link.functions.balanceOf(recipient).call()
    assert other.address == paid.contract.functions.getLinkToken().call()
    assert [] == paid.events(chain.send(change))


def test_set_link_token_refused(chain: Chain, paid: Feed, link: Contract) -> None:
    """What is no token is refused, and so is a change when the old token does not move."""
    other = chain.deploy("test/LinkStub")
    set_link_token = paid.contract.functions.setLinkToken
    chain.send(link.functions.freeze(True))

    assert "transfer remaining funds failed" == chain.refusal(set_link_token(other.address, OWNER)).reason
    assert b"" == chain.refusal(set_link_token(STRANGER, OWNER)).data


def test_no_link_no_rates(feed: Feed) -> None:
    """Without a token everything works as long as all rates are zero."""
    for i in (1, 2):
        feed.transmit([1, 2, 3], round_=i)
        feed.chain.send(feed.set_config_call())

    assert 2 == feed.contract.functions.latestRound().call()
    # Nothing was paid, so the observations still count.
    assert 2 == feed.contract.functions.oracleObservationCount(feed.transmitters[0]).call()
    assert b"" == feed.chain.refusal(feed.contract.functions.linkAvailableForPayment()).data


def test_no_link_with_rates(feed: Feed) -> None:
    """Rates without a token: transmitting goes on, but earlier rounds became owed and lock the configuration."""
    feed.transmit([1, 2, 3], round_=1)
    feed.chain.send(feed.contract.functions.setBilling(*RATES))
    feed.transmit([1, 2, 3], round_=2)

    assert 2 * PER_OBSERVATION == feed.contract.functions.owedPayment(feed.transmitters[1]).call()
    assert b"" == feed.chain.refusal(feed.set_config_call()).data


def _paid_event(feed: Feed, link: Contract, i: int, amount: int) -> tuple[str, dict[str, object]]:
    fields: dict[str, object] = {
        "transmitter": feed.transmitters[i],
        "payee": feed.payees[i],
        "amount": amount,
        "linkToken": link.address,
    }
    return ("OraclePaid", fields)


def _fill_counter(feed: Feed) -> None:
    """Set oracle 0's counter to its greatest value, in the one storage word that holds three counters of 1."""
    w3, target = feed.chain.w3, feed.contract.address
    ones = sum(1 << 16 * i for i in range(3))
    (slot,) = [i for i in range(64) if int.from_bytes(w3.eth.get_storage_at(target, i), "big") == ones]
    word = "0x" + (ones | 0xFFFF).to_bytes(32, "big").hex()
    w3.provider.make_request("anvil_setStorageAt", [target, hex(slot), word])  # type: ignore[arg-type]

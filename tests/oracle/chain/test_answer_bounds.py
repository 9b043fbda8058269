"""Answers that the contract does not take are not sent, and that is said."""

from typing import cast

import pytest
from eth_abi.abi import encode
from structlog.testing import capture_logs

from chainlink.rpc.client import RpcClient
from chainlink.rpc.errors import Malformed, RpcRefused, RpcUnavailable
from services.oracle.chain.answer_bounds import AnswerBounds
from services.oracle.chain.errors import AnswerOutOfBounds
from services.oracle.chain.transactions.account import Account
from services.oracle.chain.transmitter import FeedTransmitter
from services.oracle.ocr.report import AttributedObservation, encode_report
from tests.oracle.anvil import Aggregator, Anvil

CONTRACT = "0x" + "11" * 20


class Contract:
    """Answer for the bounds with these values, or fail."""

    def __init__(self, *answers: int | Exception) -> None:
        self.answers = list(answers)
        self.asked = 0

    async def eth_call(self, to: str, data: bytes) -> bytes:
        self.asked += 1
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return encode(("int192",), (answer,))


def bounds_of(contract: Contract) -> AnswerBounds:
    """Return the bounds of a contract."""
    return AnswerBounds(cast(RpcClient, contract), CONTRACT)


@pytest.mark.parametrize(("answer", "inside"), [(9, False), (10, True), (15, True), (20, True), (21, False)])
async def test_both_bounds_are_allowed(answer: int, inside: bool) -> None:
    """The contract takes its least and its most answer, and nothing beyond."""
    bounds = bounds_of(Contract(10, 20))
    if inside:
        await bounds.check(answer)
    else:
        with pytest.raises(AnswerOutOfBounds, match=rf"pinned: the answer {answer} .* minAnswer 10 to maxAnswer 20"):
            await bounds.check(answer)
    assert inside == (bounds.pinned == "")


async def test_pinned_is_said_once() -> None:
    """A feed that is pinned says so once, however many answers are kept out, and once when it is free again."""
    bounds, told = bounds_of(contract := Contract(10, 20)), list[str]()
    bounds.on_change = told.append
    with capture_logs() as events:
        for answer in (30, 31, 40):
            with pytest.raises(AnswerOutOfBounds):
                await bounds.check(answer)
        bounds.free(25)
        assert bounds.pinned
        bounds.free(20)
        await bounds.check(12)

    assert ["feed_pinned", "feed_no_longer_pinned"] == [event["event"] for event in events]
    assert "error" == events[0]["log_level"]
    assert ["the answer 30 is outside of minAnswer 10 to maxAnswer 20: the contract keeps its last one", ""] == told
    # They never change, so they are read once.
    assert 2 == contract.asked


@pytest.mark.parametrize("failure", [RpcUnavailable("gone"), Malformed("nothing"), RpcRefused("eth_call", -1, "no")])
async def test_bounds_that_cannot_be_read(failure: Exception) -> None:
    """What cannot be read bounds nothing, and is read the next time."""
    bounds = bounds_of(Contract(failure, 10, 20))
    await bounds.check(99)
    with pytest.raises(AnswerOutOfBounds):
        await bounds.check(99)


async def test_a_contract_without_bounds() -> None:
    """A contract of another make, which knows no bounds, has none."""
    revert = RpcRefused("eth_call", 3, "execution reverted")
    bounds = bounds_of(contract := Contract(revert, revert))
    await bounds.check(2**100)
    await bounds.check(-1)
    assert 2 == contract.asked


def report_of(*values: int) -> bytes:
    """Return a report of these observations."""
    return encode_report(bytes(32), [AttributedObservation(i, value) for i, value in enumerate(values)])


async def test_a_report_outside_is_not_sent(anvil: Anvil, aggregator: Aggregator, account: Account) -> None:
    """Of a report only the median counts; outside of a real contract's bounds no transaction is made of it."""
    bounds = AnswerBounds(anvil.rpc, aggregator.address)
    transmitter = FeedTransmitter(account, aggregator.address, 500_000, bounds)
    with pytest.raises(AnswerOutOfBounds, match="the answer 0 "):
        await transmitter.transmit(report_of(-5, 0, 7), (), (), bytes(32))
    assert (0, 0) == (
        account.counters["sent"],
        await anvil.rpc.number("eth_getTransactionCount", account.address, "latest"),
    )

    await transmitter.transmit(report_of(-5, 1, 7), (), (), bytes(32))
    assert (1, "") == (account.counters["sent"], bounds.pinned)

"""The feeds' contracts: how to make one, and what one says of itself."""

from collections.abc import Coroutine, Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from chainlink.abi import encode
from chainlink.contract import aggregator, aggregator_ocr2
from chainlink.contract.shape import TYPE_AND_VERSION, ContractShape, shape_of
from chainlink.ocr2.median_config import AnswerRange
from services.operator.concurrently import together
from services.operator.config import FeedTarget
from services.operator.errors import ChainUnavailable
from services.operator.onchain.chain import CallReverted, Chain
from services.operator.onchain.configuration import read_config
from services.operator.onchain.contract_changes import ContractState
from services.operator.onchain.transactions import Transaction

_NO_ADDRESS = "0x" + "00" * 20
_MIN_ANSWER = 1
_ASKED_AT_ONCE = 32
# Room for every price the aggregator accepts, and for the value of all coins, which is in trillions.
_MOST_WHOLE_DIGITS = 15


@dataclass(frozen=True, slots=True)
class Answer:
    """Hold a contract's last answer as a price, and its block's time in seconds since the Unix epoch."""

    round_id: int
    price: Decimal
    updated_s: int


def price(answer: int, decimals: int) -> Decimal:
    """Return an on-chain answer as a price, exactly."""
    return Decimal(answer).scaleb(-decimals)


def deployment(chain: Chain, feed: FeedTarget, ocr2_code: bytes = b"", link_token: str | None = None) -> Transaction:
    """
    Return the transaction that makes a feed's contract: no billing, no access controllers, no LINK token unless given.

    The contract of OCR1 is ours; that of OCR2 is whose creation code is given.
    """
    link = link_token or _NO_ADDRESS
    answers = answer_range(feed.decimals)
    end = (_NO_ADDRESS, _NO_ADDRESS, feed.decimals, feed.name)
    if feed.ocr_version == 2:
        values = (link, answers.least, answers.highest, *end)
        data = ocr2_code + encode(aggregator_ocr2.CONSTRUCTOR, values)
    else:
        billing = (0, 0, 0, 0, 0)
        data = chain.deployment(*billing, link, answers.least, answers.highest, *end)
    return Transaction(f"deployment of {feed.name}", None, data)


def answer_range(decimals: int) -> AnswerRange:
    """Return the answers that a contract takes which we make."""
    return AnswerRange(_MIN_ANSWER, 10 ** (decimals + _MOST_WHOLE_DIGITS))


def new_state(feed: FeedTarget, address: str, owner: str) -> ContractState:
    """Return what a contract says that was made for a feed just now: it has no configuration yet."""
    ocr2 = feed.ocr_version == 2
    return ContractState(
        *(address, feed.name, feed.decimals, owner, 0, "", None),
        shape=ContractShape.OCR2 if ocr2 else ContractShape.OCR1,
        answers=answer_range(feed.decimals) if ocr2 else None,
    )


async def state(chain: Chain, address: str, seen: ContractState | None = None) -> ContractState | None:
    """
    Return what the contract at an address says, or None if there is no contract of a feed.

    What was `seen` before is not read again while the contract has the same configuration: its digest is of that
    contract and of a secret that nobody else has chosen.

    Raises:
        ChainUnavailable: when the chain does not answer, or not all of it.
    """
    if seen is not None and await _is_unchanged(chain, seen):
        return seen
    shape = await _shape(chain, address)
    if shape is None:
        return None
    try:
        description = await chain.ask(address, aggregator.DESCRIPTION)
        decimals = await chain.ask(address, aggregator.DECIMALS)
        owner = await chain.ask(address, aggregator.OWNER)
        answers = None
        if shape is ContractShape.OCR2:
            least = await chain.ask(address, aggregator.MIN_ANSWER)
            answers = AnswerRange(least, await chain.ask(address, aggregator.MAX_ANSWER))
        count, block, digest = await chain.ask(address, read_config.details_call(shape))
    except CallReverted:
        return None
    if not count:
        return ContractState(*(address, description, decimals, owner, 0, "", None), shape=shape, answers=answers)
    found = await read_config.read(chain, shape, address, block, digest)
    return ContractState(
        *(address, description, decimals, owner, count, bytes(digest).hex()),
        config=None if found.flaws else found.config,
        oracles=found.oracles,
        flaws=found.flaws,
        refused=found.config if found.flaws else None,
        shape=shape,
        answers=answers,
        config_block=block,
    )


async def _is_unchanged(chain: Chain, seen: ContractState) -> bool:
    try:
        count, _, digest = await chain.ask(seen.address, read_config.details_call(seen.shape))
    except (CallReverted, ChainUnavailable):
        # Whether it is there at all is told by all that is read then.
        return False
    return (count, bytes(digest).hex()) == (seen.config_count, seen.config_digest)


async def _shape(chain: Chain, address: str) -> ContractShape | None:
    code = await chain.code(address)
    if not code:
        return None
    try:
        calls_itself = await chain.ask(address, TYPE_AND_VERSION)
    except CallReverted:
        calls_itself = ""
    return shape_of(code, calls_itself)


async def latest_answer(chain: Chain, address: str, decimals: int) -> Answer | None:
    """Return a contract's last answer, or None before the first."""
    try:
        round_id, answer, _, updated_s, _ = await chain.ask(address, aggregator.LATEST_ROUND_DATA)
    except CallReverted as error:
        raise ChainUnavailable("latestRoundData()", str(error)) from error
    return Answer(round_id, price(answer, decimals), updated_s) if round_id else None


async def last_answers(chain: Chain, address: str, decimals: int, count: int) -> tuple[Answer, ...]:
    """Return a contract's last answers, oldest first; rounds that it no longer has are left out."""
    newest = await latest_answer(chain, address, decimals)
    if newest is None:
        return ()
    rounds = range(max(1, newest.round_id - count + 1), newest.round_id)
    found: list[Answer] = []
    for first in range(0, len(rounds), _ASKED_AT_ONCE):
        part: list[Answer] = await together(_past(chain, address, decimals, rounds[first : first + _ASKED_AT_ONCE]))
        found += [answer for answer in part if answer.updated_s]
    return (*found, newest)


def _past(chain: Chain, address: str, decimals: int, rounds: Iterable[int]) -> list[Coroutine[Any, Any, Answer]]:
    async def one(number: int) -> Answer:
        try:
            round_id, answer, _, updated_s, _ = await chain.ask(address, aggregator.GET_ROUND_DATA, number)
        except CallReverted:
            return Answer(number, Decimal(0), 0)
        return Answer(round_id, price(answer, decimals), updated_s)

    return [one(number) for number in rounds]

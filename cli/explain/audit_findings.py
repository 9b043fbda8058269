"""What a consumer should know of a feed before it believes it: what was read in, findings out, nothing asked here."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from chainlink.contract.aggregator import RoundData

# A contract's clock is that of its blocks, which may be a little ahead of ours.
_CLOCKS_APART_S = 60
_ROUND_BITS = 64
# Of pairs in dollars contracts have 8 decimals, in ether 18.
_USUAL_DECIMALS = {"USD": 8, "ETH": 18}
_NEAR_BOUND_PERCENT = 1
ZERO_ADDRESS = "0x0000000000000000000000000000000000000000"


class Level(StrEnum):
    """Name how bad a finding is: a `warning` is to be known, a `fault` is a reason not to use the answer."""

    OK = "ok"
    WARNING = "warning"
    FAULT = "fault"


@dataclass(frozen=True, slots=True)
class Finding:
    """Hold one finding: what was looked at, how bad it is, and what was found."""

    what: str
    level: Level
    words: str


@dataclass(frozen=True, slots=True)
class Owner:
    """Hold who owns a contract, and whether there is code at that address."""

    address: str
    has_code: bool


@dataclass(frozen=True, slots=True)
class FeedRead:
    """
    Hold what was read of a feed. What a contract does not have, or refuses to say, is None.

    Attributes:
        address: What was asked, checksummed.
        aggregator: Whom it passes questions to, None if it answers itself.
        proposed: Whom it is to pass them to next.
        latest: What it answers; `refusal` has the words where it answers nothing.
        behind: What the aggregator behind it answers.
        decimals_behind: The decimals of that.
        heartbeat_s: How often it answers at least, from the caller or from the contract's own configuration.
        block_s: The time of the newest block.
    """

    address: str
    has_code: bool
    block_s: int
    aggregator: str | None = None
    proposed: str | None = None
    latest: RoundData | None = None
    refusal: str = ""
    behind: RoundData | None = None
    description: str | None = None
    decimals: int | None = None
    decimals_behind: int | None = None
    minimum: int | None = None
    maximum: int | None = None
    owner: Owner | None = None
    owner_behind: Owner | None = None
    version: str | None = None
    heartbeat_s: float | None = None
    heartbeat_from: str = ""


def audit(feed: FeedRead) -> list[Finding]:
    """Return the findings in the order in which a consumer meets them."""
    if not feed.has_code:
        return [Finding("contract", Level.FAULT, f"there is no contract at {feed.address}")]
    found = [*_contract(feed), *_description(feed)]
    if feed.latest is None:
        return [*found, Finding("answer", Level.FAULT, f"latestRoundData() answers nothing: {feed.refusal}")]
    rounds = (*_answer(feed, feed.latest), *_age(feed, feed.latest), *_round(feed.latest), *_proxied(feed, feed.latest))
    return [*found, *rounds, *_bounds(feed, feed.latest), *_owners(feed)]


def _contract(feed: FeedRead) -> Iterator[Finding]:
    version = f", {feed.version}" if feed.version else ""
    if feed.aggregator is None:
        yield Finding("contract", Level.OK, f"{feed.address} answers itself{version}")
    elif feed.aggregator == ZERO_ADDRESS:
        yield Finding("contract", Level.FAULT, f"{feed.address} is a proxy of no aggregator")
    else:
        yield Finding("contract", Level.OK, f"{feed.address} is a proxy of {feed.aggregator}{version}")
    if feed.proposed is not None and feed.proposed not in (ZERO_ADDRESS, feed.aggregator):
        yield Finding("contract", Level.WARNING, f"another aggregator is proposed: {feed.proposed}")


def _description(feed: FeedRead) -> Iterator[Finding]:
    if feed.description is None:
        yield Finding("description", Level.WARNING, "it does not say what it is the price of")
    else:
        yield Finding("description", Level.OK, feed.description)
    if feed.decimals is None:
        yield Finding("decimals", Level.FAULT, "it does not say how many decimals its answers have")
        return
    usual = _USUAL_DECIMALS.get((feed.description or "").rpartition("/")[2].strip())
    if feed.decimals_behind is not None and feed.decimals_behind != feed.decimals:
        words = f"the proxy says {feed.decimals}, the aggregator {feed.decimals_behind}"
        yield Finding("decimals", Level.FAULT, words)
    elif usual is not None and usual != feed.decimals:
        yield Finding("decimals", Level.WARNING, f"{feed.decimals}, where feeds of this kind have {usual}")
    else:
        yield Finding("decimals", Level.OK, str(feed.decimals))


def _answer(feed: FeedRead, latest: RoundData) -> Iterator[Finding]:
    text = scaled(latest.answer, feed.decimals)
    if latest.updated_s == 0:
        yield Finding("answer", Level.FAULT, "it has had no answer yet: the time of the last one is 0")
    elif latest.answer <= 0:
        yield Finding("answer", Level.FAULT, f"{text} is no price: a price is above zero")
    else:
        yield Finding("answer", Level.OK, text)


def _age(feed: FeedRead, latest: RoundData) -> Iterator[Finding]:
    if latest.updated_s == 0:
        return
    age_s = feed.block_s - latest.updated_s
    if age_s < -_CLOCKS_APART_S:
        yield Finding("age", Level.FAULT, f"the answer is of {-age_s} s after the newest block")
    elif feed.heartbeat_s is None:
        yield Finding("age", Level.WARNING, f"{age_s} s; how old it may be nobody says: give --heartbeat")
    elif age_s > feed.heartbeat_s:
        allowed = f"{feed.heartbeat_s:.0f} s by {feed.heartbeat_from}"
        yield Finding("age", Level.FAULT, f"stale: {age_s} s, the heartbeat is {allowed}")
    else:
        yield Finding("age", Level.OK, f"{age_s} s, the heartbeat is {feed.heartbeat_s:.0f} s by {feed.heartbeat_from}")


def _round(latest: RoundData) -> Iterator[Finding]:
    phase, number = latest.round_id >> _ROUND_BITS, latest.round_id & (1 << _ROUND_BITS) - 1
    name = f"{number} of phase {phase}" if phase else str(number)
    if latest.answered_in_round < latest.round_id:
        answered = latest.answered_in_round & (1 << _ROUND_BITS) - 1
        yield Finding("round", Level.FAULT, f"carried over: round {name} has the answer of round {answered}")
    elif latest.started_s > latest.updated_s:
        yield Finding("round", Level.FAULT, f"round {name} began {latest.started_s - latest.updated_s} s after its end")
    else:
        yield Finding("round", Level.OK, name)


def _proxied(feed: FeedRead, latest: RoundData) -> Iterator[Finding]:
    if feed.behind is None:
        if feed.aggregator not in (None, ZERO_ADDRESS):
            yield Finding("proxy", Level.WARNING, "the aggregator does not answer who is no consumer of it")
        return
    same = latest.answer == feed.behind.answer and latest.updated_s == feed.behind.updated_s
    same = same and latest.round_id & (1 << _ROUND_BITS) - 1 == feed.behind.round_id
    if same:
        yield Finding("proxy", Level.OK, "it passes on what its aggregator answers")
    else:
        words = f"it answers {latest.answer} of round {latest.round_id}, its aggregator {feed.behind.answer}"
        yield Finding("proxy", Level.FAULT, f"{words} of round {feed.behind.round_id}")


def _bounds(feed: FeedRead, latest: RoundData) -> Iterator[Finding]:
    low, high = feed.minimum, feed.maximum
    if low is None or high is None:
        yield Finding("bounds", Level.OK, "the contract has none, or does not say them")
        return
    bounds = f"{scaled(low, feed.decimals)} to {scaled(high, feed.decimals)}"
    if latest.answer <= low or latest.answer >= high:
        which = "lower" if latest.answer <= low else "upper"
        yield Finding(
            "bounds", Level.FAULT, f"pinned at the {which} bound: the contract takes {bounds}, the market may be beyond"
        )
    elif _is_near(latest.answer, low) or _is_near(latest.answer, high):
        yield Finding(
            "bounds", Level.WARNING, f"within {_NEAR_BOUND_PERCENT} % of a bound: the contract takes {bounds}"
        )
    else:
        yield Finding("bounds", Level.OK, bounds)


def _is_near(answer: int, bound: int) -> bool:
    return abs(answer - bound) * 100 <= abs(bound) * _NEAR_BOUND_PERCENT


def _owners(feed: FeedRead) -> Iterator[Finding]:
    parts: Sequence[tuple[str, Owner | None]] = (("owner", feed.owner), ("owner behind", feed.owner_behind))
    for what, owner in parts:
        if owner is None:
            if what == "owner":
                yield Finding(what, Level.WARNING, "it does not say who can change it")
        elif owner.address == ZERO_ADDRESS:
            yield Finding(what, Level.WARNING, "nobody: it cannot be changed any more, nor mended")
        elif owner.has_code:
            yield Finding(what, Level.OK, f"{owner.address}, a contract")
        else:
            yield Finding(what, Level.WARNING, f"{owner.address}, one key: whoever has it can change the feed")


def scaled(answer: int, decimals: int | None) -> str:
    """Return an answer as decimal text; as it is where nobody says how many decimals it has."""
    return str(answer) if decimals is None else format(Decimal(answer).scaleb(-decimals), "f")

"""
What an endpoint means when it refuses: the words of the field's clients and providers, in one table.

JSON-RPC gives the same thing a different code in every client, so the words decide. The first row that matches wins.
"""

import enum
import re
from dataclasses import dataclass

from chainlink.rpc.errors import RpcRefused


class Refusal(enum.Enum):
    """
    Name what a refusal means.

    Of a transaction: KNOWN, this very one is in the pool already; REPLACEMENT, another with its nonce is, and this one
    does not offer enough more; NONCE_TOO_LOW, a block has its nonce; NONCE_TOO_HIGH, the nonces before it are missing
    at this endpoint; UNFUNDED; UNDERPRICED, the pool wants more; TOO_DEAR, the endpoint finds the fee too high;
    POOL_FULL.
    Of a question: RATE_LIMITED, the endpoint was asked too much; METHOD_MISSING, it does not know the method; UNABLE,
    it cannot answer now. Another endpoint may.
    OTHER: anything else.
    """

    KNOWN = "known"
    REPLACEMENT = "replacement"
    NONCE_TOO_LOW = "nonce too low"
    NONCE_TOO_HIGH = "nonce too high"
    UNFUNDED = "unfunded"
    UNDERPRICED = "underpriced"
    TOO_DEAR = "too dear"
    POOL_FULL = "pool full"
    RATE_LIMITED = "rate limited"
    METHOD_MISSING = "method missing"
    UNABLE = "unable"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Meaning:
    """
    Hold what a refusal means, and the numbers it gives: None where it gives none.

    `tip_wei` is the least tip (the least price of a transaction of the old form) that the pool takes, `cap_wei` the
    base fee that a transaction must be able to pay, `next_nonce` the nonce that the endpoint expects next.
    """

    kind: Refusal
    tip_wei: int | None = None
    cap_wei: int | None = None
    next_nonce: int | None = None


@dataclass(frozen=True, slots=True)
class _Row:
    """Hold the words of one meaning, in lower case, and the patterns of numbers, each with one group."""

    kind: Refusal
    words: re.Pattern[str]
    tip_wei: tuple[re.Pattern[str], ...] = ()
    cap_wei: tuple[re.Pattern[str], ...] = ()
    next_nonce: tuple[re.Pattern[str], ...] = ()


def _row(
    kind: Refusal, *words: str, tip: tuple[str, ...] = (), cap: tuple[str, ...] = (), nonce: tuple[str, ...] = ()
) -> _Row:
    def compiled(patterns: tuple[str, ...]) -> tuple[re.Pattern[str], ...]:
        return tuple(re.compile(pattern, re.ASCII) for pattern in patterns)

    return _Row(kind, re.compile("|".join(words), re.ASCII), compiled(tip), compiled(cap), compiled(nonce))


_TRANSACTIONS = (
    _row(
        Refusal.KNOWN,
        r"already known",  # geth, bsc, erigon, reth, nethermind
        r"known transaction",  # geth of old, besu, zksync
        r"alreadyknown",  # nethermind of old
        r"already imported",  # anvil, parity
        r"(?:tx|txn|transaction) already (?:exists|in )|already in mempool",
        r"existing (?:tx|txn) with same hash",  # erigon
        r"tx already exists in cache",  # sei
        r"pool\(alreadyimported\)",  # substrate
    ),
    _row(
        Refusal.REPLACEMENT,
        r"replacement ?(?:transaction |tx )?(?:fee too low|underpriced)",  # geth, bsc, erigon, reth, nethermind, besu
        r"same nonce (?:is )?already",
        r"replacementnotallowed|ownnoncealreadyused",  # nethermind of old
        r"could not replace existing|replaced by transaction with higher",  # erigon
        r"insufficient gas price to replace",  # reth
        r"too low to replace",
        r"another (?:transaction with|tx which has the) same nonce",  # parity, klaytn
    ),
    _row(
        Refusal.NONCE_TOO_LOW,
        r"nonce ?(?:is )?too ?(?:low|small)",  # all of the field
        r"old ?nonce|nonce (?:has )?already (?:been )?used|invalid (?:transaction )?nonce|pool\(stale\)",
        nonce=(
            r"next nonce (\d{1,78})",  # geth, bsc, reth
            r"tx: \d+ state: (\d{1,78})",  # geth and bsc when they execute
            r"current nonce[: (]+(\d{1,78})",  # nethermind, coreth
            r"allowed nonce range: (\d{1,78})",  # zksync
        ),
    ),
    _row(
        Refusal.NONCE_TOO_HIGH,
        r"nonce ?(?:is )?too ?high|nonce ?gap|nonce too far|nonce is too distant",
        nonce=(
            r"gapped nonce (\d{1,78})",  # geth
            r"expected nonce: (\d{1,78})",  # nethermind
        ),
    ),
    _row(
        Refusal.UNFUNDED,
        r"insufficient ?funds|insufficient (?:payer )?balance|signer had insufficient",
        r"balance (?:is )?(?:too low|insufficient)",
        r"(?:not|n't have) enough funds|upfront cost exceeds|exceeds balance|would cause overdraft",
    ),
    _row(Refusal.TOO_DEAR, r"exceeds the configured cap|transaction fee cap exceeded"),
    _row(
        Refusal.POOL_FULL,
        r"pool is full|pool full|queue full|too many transactions in the queue",
        r"account limit exceeded|in-flight transaction limit",
    ),
    _row(
        Refusal.UNDERPRICED,
        r"underpriced|fee ?too ?low|price (?:\w+ )?(?:is )?too low|gas price below|gas price \S+ (?:is )?below",
        r"(?:per ?gas|tip cap|fee cap|tip) (?:is )?(?:too low|below)|price (?:\S+ )?(?:is )?lower than",
        r"less than (?:the )?block(?:'s)? base ?fee|below (?:block|current) base ?fee",
        r"lower than (?:the )?(?:block )?base ?fee",
        r"minimum gas price|minimal gas price|less than the minimum value|lower than the minimum",
        r"less than gas price minimum|unacceptable gas price",
        tip=(
            r"gas tip cap \d+, minimum needed (\d{1,78})",  # geth, bsc, op-geth
            r"tip needed (\d{1,78}), tip permitted",  # bsc, geth of old
            r"effectivepriorityfeepergas too low \d+ < (\d{1,78})",  # nethermind
            r"feepergas needs to be higher than (\d{1,78})",  # nethermind
            r"pool gas tip cap \((\d{1,78})\)",  # coreth
            r"use at least tx\.gasprice = (\d{1,78})",  # metis
            r"minimum gas price '(\d{1,78})'",  # hedera
            r"less than the minimum value (\d{1,78})",  # conflux
        ),
        cap=(r"base ?fee(?: ?per ?gas)?:? \(?(\d{1,78})",),  # geth, bsc, nethermind, hardhat
    ),
)
_QUESTIONS = (
    _row(
        Refusal.RATE_LIMITED,
        r"rate.?limit|too many requests|request rate|requests? limit|call limit|throttl",
        r"requests per (?:second|minute|day)",
        r"(?:daily|monthly) request|quota|compute units|capacity (?:exceeded|limit)|credits? (?:exhausted|exceeded)",
    ),
    _row(
        Refusal.METHOD_MISSING,
        r"method not found|method .*(?:does not exist|not available|not supported|not allowed|not whitelisted)",
        r"unsupported method|method .*disabled|not available on",
    ),
    _row(
        Refusal.UNABLE,
        r"header not found|missing trie node|unknown block|block (?:\S+ )?not found|no state available",
        r"state .*(?:not available|unavailable)|resource (?:not found|not available|unavailable)|unfinalized data",
        r"node is syncing|not synced|beyond current head|internal (?:server )?error|request timed? ?out|timeout",
        r"(?:server|service|upstream) (?:\w+ )?(?:busy|unavailable|error)",
        r"no (?:backends?|upstreams?) (?:is |are )?available",
    ),
)
_CODES = {-32601: Refusal.METHOD_MISSING, -32004: Refusal.METHOD_MISSING, -32603: Refusal.UNABLE}
_LIMIT_EXCEEDED = (-32005, 429)
_GET_LOGS = "eth_getLogs"
_OF_A_RANGE = re.compile(r"\brange|\bblocks\b|results|log response", re.ASCII)
# What chains made with Cosmos say of any wrong nonce: which, and which they want.
_WRONG_NONCE = re.compile(
    r"(?:nonce|sequence)\W.*?(?:got (?P<got>\d{1,78}), expected (?P<expected>\d{1,78})"
    r"|expected (?P<wanted>\d{1,78}), got (?P<had>\d{1,78}))",
    re.ASCII,
)


def of_transaction(error: RpcRefused) -> Meaning:
    """Return what the refusal of a signed transaction means."""
    text = _plain(error)
    if (wrong := _WRONG_NONCE.search(text)) is not None:
        had, wanted = int(wrong["got"] or wrong["had"]), int(wrong["expected"] or wrong["wanted"])
        return Meaning(Refusal.NONCE_TOO_HIGH if had > wanted else Refusal.NONCE_TOO_LOW, next_nonce=wanted)
    for row in _TRANSACTIONS:
        if row.words.search(text):
            tip_wei, next_nonce = _number(row.tip_wei, text), _number(row.next_nonce, text)
            # Beside a least tip the base fee is told for information only.
            return Meaning(row.kind, tip_wei, None if tip_wei else _number(row.cap_wei, text), next_nonce)
    kind = of_question(error)
    return Meaning(kind if kind is Refusal.RATE_LIMITED else Refusal.OTHER)


def of_question(error: RpcRefused) -> Refusal:
    """
    Return what the refusal of a question means: RATE_LIMITED, METHOD_MISSING, UNABLE or OTHER.

    The code -32005 is a rate limit, but for `eth_getLogs`, where it stands for too wide a range as well. Whatever an
    endpoint says of blocks there is about the range, also if it says it in the words of limits and of plans.
    """
    text = _plain(error)
    if is_revert(error) or (error.method == _GET_LOGS and _OF_A_RANGE.search(text)):
        return Refusal.OTHER
    for row in _QUESTIONS:
        if row.words.search(text):
            return row.kind
    if error.code in _LIMIT_EXCEEDED and error.method != _GET_LOGS:
        return Refusal.RATE_LIMITED
    return _CODES.get(error.code, Refusal.OTHER)


def is_revert(error: RpcRefused) -> bool:
    """Tell whether a call was executed and undone: code 3 of geth, or the words of the others."""
    return error.code == 3 or "revert" in f"{error.message} {error.data or ''}".lower()


def _plain(error: RpcRefused) -> str:
    """Return the words in lower case, apart where a client writes them like a constant."""
    return error.message.lower().replace("_", " ")


def _number(patterns: tuple[re.Pattern[str], ...], text: str) -> int | None:
    found = (pattern.search(text) for pattern in patterns)
    return next((int(match[1]) for match in found if match is not None), None)

"""The words of the field's clients and providers, each with its meaning."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainlink.rpc.errors import RpcRefused
from chainlink.rpc.refusals import Meaning, Refusal, is_revert, of_question, of_transaction

ADDRESS = "0x8db97C7cEcE249c2b98bDC0226Cc4C2A57BF52FC"
TRANSACTIONS = [
    ("geth", "already known", Meaning(Refusal.KNOWN)),
    ("geth", "known transaction: 0x12", Meaning(Refusal.KNOWN)),
    ("geth", "nonce too low: next nonce 8, tx nonce 3", Meaning(Refusal.NONCE_TOO_LOW, next_nonce=8)),
    ("geth", f"nonce too low: address {ADDRESS}, tx: 3 state: 7", Meaning(Refusal.NONCE_TOO_LOW, next_nonce=7)),
    ("geth", "nonce too low", Meaning(Refusal.NONCE_TOO_LOW)),
    ("geth", "nonce too high: tx nonce 9, gapped nonce 4", Meaning(Refusal.NONCE_TOO_HIGH, next_nonce=4)),
    ("geth", "replacement transaction underpriced", Meaning(Refusal.REPLACEMENT)),
    ("geth", "replacement transaction underpriced: new tx gas fee cap 1 < 2 queued", Meaning(Refusal.REPLACEMENT)),
    ("geth", "transaction underpriced", Meaning(Refusal.UNDERPRICED)),
    (
        "geth",
        "transaction underpriced: gas tip cap 1, minimum needed 1000000",
        Meaning(Refusal.UNDERPRICED, tip_wei=1_000_000),
    ),
    (
        "geth",
        "transaction gas price below minimum: gas tip cap 1, minimum needed 25000000000",
        Meaning(Refusal.UNDERPRICED, tip_wei=25 * 10**9),
    ),
    (
        "geth",
        f"max fee per gas less than block base fee: address {ADDRESS}, maxFeePerGas: 1, baseFee: 875000000",
        Meaning(Refusal.UNDERPRICED, cap_wei=875_000_000),
    ),
    (
        "geth",
        f"max fee per gas less than block base fee: address {ADDRESS}, maxFeePerGas: 1 baseFee: 875",
        Meaning(Refusal.UNDERPRICED, cap_wei=875),
    ),
    (
        "geth",
        "insufficient funds for gas * price + value: balance 0, tx cost 21000, overshot 21000",
        Meaning(Refusal.UNFUNDED),
    ),
    ("geth", "tx fee (1.20 ether) exceeds the configured cap (1.00 ether)", Meaning(Refusal.TOO_DEAR)),
    ("geth", "txpool is full", Meaning(Refusal.POOL_FULL)),
    ("geth", "in-flight transaction limit reached for delegated accounts", Meaning(Refusal.POOL_FULL)),
    ("geth", "exceeds block gas limit", Meaning(Refusal.OTHER)),
    ("geth", "intrinsic gas too low: gas 20000, minimum needed 21000", Meaning(Refusal.OTHER)),
    ("geth", "invalid sender", Meaning(Refusal.OTHER)),
    (
        "bsc",
        "transaction underpriced: tip needed 3000000000, tip permitted 1000000000",
        Meaning(Refusal.UNDERPRICED, tip_wei=3 * 10**9),
    ),
    ("bsc", "already known", Meaning(Refusal.KNOWN)),
    ("erigon", "ALREADY_EXISTS: already known", Meaning(Refusal.KNOWN)),
    ("erigon", "INTERNAL_ERROR: existing tx with same hash", Meaning(Refusal.KNOWN)),
    ("erigon", "existing txn with same hash", Meaning(Refusal.KNOWN)),
    ("erigon", "INTERNAL_ERROR: could not replace existing tx", Meaning(Refusal.REPLACEMENT)),
    ("erigon", "INTERNAL_ERROR: nonce too low", Meaning(Refusal.NONCE_TOO_LOW)),
    ("erigon", "underpriced", Meaning(Refusal.UNDERPRICED)),
    ("erigon", "fee too low", Meaning(Refusal.UNDERPRICED)),
    ("erigon", "insufficient funds", Meaning(Refusal.UNFUNDED)),
    ("erigon", "pending sub-pool is full", Meaning(Refusal.POOL_FULL)),
    ("nethermind", "AlreadyKnown", Meaning(Refusal.KNOWN)),
    (
        "nethermind",
        "OldNonce, Current nonce: 12, nonce of rejected tx: 3",
        Meaning(Refusal.NONCE_TOO_LOW, None, None, 12),
    ),
    ("nethermind", "OldNonce", Meaning(Refusal.NONCE_TOO_LOW)),
    ("nethermind", "NonceGap, Future nonce. Expected nonce: 5", Meaning(Refusal.NONCE_TOO_HIGH, None, None, 5)),
    ("nethermind", "ReplacementNotAllowed", Meaning(Refusal.REPLACEMENT)),
    ("nethermind", "OwnNonceAlreadyUsed", Meaning(Refusal.REPLACEMENT)),
    (
        "nethermind",
        "FeeTooLow, MaxFeePerGas too low. MaxFeePerGas: 1, BaseFee: 50, MaxPriorityFeePerGas:1, Block number: 7",
        Meaning(Refusal.UNDERPRICED, cap_wei=50),
    ),
    (
        "nethermind",
        "FeeTooLow, EffectivePriorityFeePerGas too low 3 < 40, BaseFee: 7",
        Meaning(Refusal.UNDERPRICED, tip_wei=40),
    ),
    (
        "nethermind",
        "FeeTooLow, FeePerGas needs to be higher than 90 to be added to the TxPool. Affordable FeePerGas: 3.",
        Meaning(Refusal.UNDERPRICED, tip_wei=90),
    ),
    ("nethermind", "FeeTooLowToCompete", Meaning(Refusal.UNDERPRICED)),
    ("nethermind", "InsufficientFunds, Account balance: 3, cumulative cost: 9", Meaning(Refusal.UNFUNDED)),
    ("reth", "already known", Meaning(Refusal.KNOWN)),
    ("reth", "nonce too low: next nonce 6, tx nonce 5", Meaning(Refusal.NONCE_TOO_LOW, next_nonce=6)),
    ("reth", "replacement transaction underpriced", Meaning(Refusal.REPLACEMENT)),
    ("reth", "max fee per gas less than block base fee", Meaning(Refusal.UNDERPRICED)),
    ("reth", "insufficient funds for gas * price + value: have 1 want 2", Meaning(Refusal.UNFUNDED)),
    ("reth", "txpool is full", Meaning(Refusal.POOL_FULL)),
    ("besu", "Known transaction", Meaning(Refusal.KNOWN)),
    ("besu", "Nonce too low", Meaning(Refusal.NONCE_TOO_LOW)),
    ("besu", "Replacement transaction underpriced", Meaning(Refusal.REPLACEMENT)),
    ("besu", "Gas price below configured minimum gas price", Meaning(Refusal.UNDERPRICED)),
    ("besu", "Upfront cost exceeds account balance", Meaning(Refusal.UNFUNDED)),
    ("besu", "Transaction fee cap exceeded", Meaning(Refusal.TOO_DEAR)),
    ("anvil", "transaction already imported", Meaning(Refusal.KNOWN)),
    ("anvil", "Insufficient funds for gas * price + value", Meaning(Refusal.UNFUNDED)),
    ("parity", "Transaction nonce is too low. Try incrementing the nonce.", Meaning(Refusal.NONCE_TOO_LOW)),
    (
        "parity",
        "Transaction gas price 3wei is too low. There is another transaction with same nonce in the queue.",
        Meaning(Refusal.REPLACEMENT),
    ),
    (
        "parity",
        "Transaction gas price is too low. It does not satisfy your node's minimal gas price (minimal: 9, got: 3).",
        Meaning(Refusal.UNDERPRICED),
    ),
    (
        "coreth",
        f"transaction underpriced: address {ADDRESS} have gas tip cap (22) < pool gas tip cap (470)",
        Meaning(Refusal.UNDERPRICED, tip_wei=470),
    ),
    (
        "coreth",
        f"nonce too low: address {ADDRESS} current nonce (9) > tx nonce (3)",
        Meaning(Refusal.NONCE_TOO_LOW, next_nonce=9),
    ),
    (
        "metis",
        "gas price too low: 1 wei, use at least tx.gasPrice = 500 wei",
        Meaning(Refusal.UNDERPRICED, tip_wei=500),
    ),
    ("arbitrum", "max fee per gas less than block base fee", Meaning(Refusal.UNDERPRICED)),
    ("zksync", "nonce too low. allowed nonce range: 5 - 10, actual: 3", Meaning(Refusal.NONCE_TOO_LOW, next_nonce=5)),
    ("a provider", "daily request count exceeded, request rate limited", Meaning(Refusal.RATE_LIMITED)),
]


@pytest.mark.parametrize(("client", "message", "meaning"), TRANSACTIONS)
def test_what_is_said_of_a_transaction(client: str, message: str, meaning: Meaning) -> None:
    """Each client's words are understood, with the numbers they give, in any case and inside a longer text."""
    assert meaning == of_transaction(RpcRefused("eth_sendRawTransaction", -32000, message))
    wrapped = RpcRefused("eth_sendRawTransaction", -32010, f"RPC error: {message.upper()}")
    assert meaning == of_transaction(wrapped)


# Words of others, each of a kind that a node must tell apart, whatever the spelling.
SPELLINGS = [
    (Refusal.KNOWN, "transaction already exists"),
    (Refusal.KNOWN, "tx already in pool"),
    (Refusal.KNOWN, "transaction already in the mempool"),
    (Refusal.KNOWN, "ALREADY_KNOWN"),
    (Refusal.KNOWN, "Transaction is already known"),
    (Refusal.KNOWN, "transaction already known"),
    (Refusal.KNOWN, "txn already in txpool"),
    (Refusal.NONCE_TOO_LOW, "NONCE_TOO_LOW"),
    (Refusal.NONCE_TOO_LOW, "NonceTooLow"),
    (Refusal.NONCE_TOO_LOW, "nonce is too low: 3 < 5"),
    (Refusal.NONCE_TOO_LOW, "nonce too small"),
    (Refusal.NONCE_TOO_LOW, "Nonce already used"),
    (Refusal.NONCE_TOO_LOW, "invalid nonce; got 3, expected 5: invalid sequence"),
    (Refusal.NONCE_TOO_HIGH, "invalid nonce; got 9, expected 5: invalid sequence"),
    (Refusal.NONCE_TOO_HIGH, "account sequence mismatch, expected 5, got 9"),
    (Refusal.NONCE_TOO_LOW, "account sequence mismatch, expected 5, got 3"),
    (Refusal.NONCE_TOO_HIGH, "nonce is too high"),
    (Refusal.NONCE_TOO_HIGH, "NONCE_TOO_HIGH"),
    (Refusal.NONCE_TOO_HIGH, "Transaction nonce is too distant from current sender nonce"),
    (Refusal.NONCE_TOO_HIGH, "nonce too far ahead"),
    (Refusal.REPLACEMENT, "REPLACEMENT_UNDERPRICED"),
    (Refusal.REPLACEMENT, "TRANSACTION_REPLACEMENT_UNDERPRICED"),
    (Refusal.REPLACEMENT, "replacement fee too low"),
    (Refusal.REPLACEMENT, "transaction with the same nonce already exists"),
    (Refusal.REPLACEMENT, "ReplacementUnderpriced"),
    (Refusal.REPLACEMENT, "replacement tx underpriced"),
    (Refusal.REPLACEMENT, "a transaction with the same nonce is already in the pool"),
    (Refusal.UNFUNDED, "sender doesn't have enough funds to send tx. The max upfront cost is: 5"),
    (Refusal.UNFUNDED, "INSUFFICIENT_FUNDS"),
    (Refusal.UNFUNDED, "insufficient funds for gas * price + value + l1 cost: have 1 want 2"),
    (Refusal.UNFUNDED, "account balance too low"),
    (Refusal.UNFUNDED, "insufficient balance for transfer"),
    (Refusal.UNFUNDED, "gas * price + value exceeds balance"),
    (Refusal.UNDERPRICED, "GAS_PRICE_TOO_LOW"),
    (Refusal.UNDERPRICED, "TRANSACTION_UNDERPRICED"),
    (Refusal.UNDERPRICED, "fee cap less than block base fee: address 0xab, gasFeeCap: 1 baseFee: 7"),
    (Refusal.UNDERPRICED, "gas price too low for miner: 1 < 5"),
    (Refusal.UNDERPRICED, "effective gas price 1 is lower than minimum 5"),
    (Refusal.UNDERPRICED, "maxFeePerGas too low to be included in the block: 1, baseFee: 7"),
    (Refusal.UNDERPRICED, "The transaction's maxFeePerGas (1) is less than the block's baseFeePerGas (7)"),
    (Refusal.UNDERPRICED, "tip below minimum"),
    (Refusal.UNDERPRICED, "max priority fee per gas too low"),
    (Refusal.UNDERPRICED, "gas tip cap too low"),
    (Refusal.UNDERPRICED, "transaction gas price lower than required: 7"),
    (Refusal.POOL_FULL, "transaction pool is full"),
    (Refusal.POOL_FULL, "mempool is full"),
    (Refusal.RATE_LIMITED, "request limit exceeded"),
    (Refusal.RATE_LIMITED, "Too many requests, please try again later"),
    (Refusal.OTHER, "exceeds block gas limit"),
]


@pytest.mark.parametrize(("kind", "message"), SPELLINGS)
def test_what_is_said_in_other_words(kind: Refusal, message: str) -> None:
    """Constants, one word for several, and other turns of phrase mean the same."""
    assert kind is of_transaction(RpcRefused("eth_sendRawTransaction", -32000, message)).kind


def test_a_wrong_nonce_of_either_kind() -> None:
    """Where one phrase stands for both kinds of wrong nonces, the numbers tell, and the wanted one is known."""
    for message in (
        "invalid nonce; got {}, expected 5: invalid sequence",
        "account sequence mismatch, expected 5, got {}",
    ):
        low, high = (of_transaction(RpcRefused("", -32000, message.format(had))) for had in (3, 9))
        assert [Meaning(Refusal.NONCE_TOO_LOW, next_nonce=5), Meaning(Refusal.NONCE_TOO_HIGH, next_nonce=5)] == [
            low,
            high,
        ]


def test_a_number_without_end() -> None:
    """Digits without end are cut rather than be a fault of ours."""
    error = RpcRefused("eth_sendRawTransaction", -32000, "nonce too low: next nonce " + "9" * 5000)
    assert Refusal.NONCE_TOO_LOW is of_transaction(error).kind


@given(st.text(max_size=60))
def test_any_words_have_a_meaning(message: str) -> None:
    """Whatever an endpoint says, nothing breaks."""
    error = RpcRefused("m", -32000, message)
    assert isinstance(of_transaction(error).kind, Refusal)
    assert isinstance(of_question(error), Refusal)


@pytest.mark.parametrize(
    ("method", "code", "message", "kind"),
    [
        ("eth_call", -32005, "limit exceeded", Refusal.RATE_LIMITED),
        ("eth_call", 429, "no", Refusal.RATE_LIMITED),
        ("eth_call", -32005, "daily request count exceeded, request rate limited", Refusal.RATE_LIMITED),
        ("eth_getLogs", -32005, "daily request count exceeded, request rate limited", Refusal.RATE_LIMITED),
        ("eth_getLogs", 429, "Your app has exceeded its compute units per second capacity", Refusal.RATE_LIMITED),
        ("eth_getLogs", -32005, "limit exceeded", Refusal.OTHER),
        ("eth_getLogs", -32005, "query returned more than 10000 results. Try with this block range", Refusal.OTHER),
        ("eth_getLogs", -32602, "range 1000000 exceeds limit of 10000", Refusal.OTHER),
        ("eth_getLogs", -32614, "eth_getLogs is limited to a 10,000 range", Refusal.OTHER),
        ("eth_getLogs", 35, "ranges over 10000 blocks are not supported on freetier", Refusal.OTHER),
        ("eth_getLogs", -32601, "the method eth_getLogs does not exist/is not available", Refusal.METHOD_MISSING),
        ("eth_getLogs", -32000, "unsupported method: eth_getLogs", Refusal.METHOD_MISSING),
        ("eth_feeHistory", -32601, "Method not found", Refusal.METHOD_MISSING),
        ("eth_call", -32000, "header not found", Refusal.UNABLE),
        ("eth_call", -32000, "missing trie node 12ab (path ) state 0x12 is not available", Refusal.UNABLE),
        ("eth_call", -32603, "whatever", Refusal.UNABLE),
        ("eth_call", 3, "execution reverted: header not found", Refusal.OTHER),
        ("eth_call", -32015, "VM execution error.", Refusal.OTHER),
        ("eth_estimateGas", -32000, "insufficient funds for transfer", Refusal.OTHER),
        ("eth_getLogs", -32005, "block range not available on your plan, max 500 blocks", Refusal.OTHER),
        (
            "eth_getLogs",
            -32600,
            "eth_getLogs requests with a range above 10 blocks are not supported on the free tier, method limited",
            Refusal.OTHER,
        ),
        ("eth_getLogs", -32005, "rate limit: block range exceeds 500", Refusal.OTHER),
        ("eth_call", -32000, "You have reached your request limit", Refusal.RATE_LIMITED),
        ("eth_call", -32000, "call limit reached", Refusal.RATE_LIMITED),
        ("eth_getLogs", -32005, "query returned more than 10000 results", Refusal.OTHER),
        ("eth_getLogs", -32601, "eth_getLogs block range too large", Refusal.OTHER),
        ("eth_getLogs", -32000, "unsupported method: eth_getLogs on this plan", Refusal.METHOD_MISSING),
        ("eth_call", -32000, "missing trie node abc (path )", Refusal.UNABLE),
        ("eth_call", -32000, "required historical state unavailable (reexec=128)", Refusal.UNABLE),
        ("eth_call", -32000, "server busy", Refusal.UNABLE),
        ("eth_call", -32000, "execution aborted (timeout = 5s)", Refusal.UNABLE),
        ("eth_call", -32000, "upstream connect error or disconnect/reset before headers", Refusal.UNABLE),
        ("eth_call", -32000, "service unavailable", Refusal.UNABLE),
        ("eth_call", -32002, "resource not available", Refusal.UNABLE),
        ("eth_call", -32000, "block #123 not found", Refusal.UNABLE),
        ("eth_call", -32000, "cannot query unfinalized data", Refusal.UNABLE),
        ("eth_call", -32000, "no backends available for method", Refusal.UNABLE),
        ("eth_call", 3, "execution reverted: rate limit", Refusal.OTHER),
    ],
)
def test_what_is_said_of_a_question(method: str, code: int, message: str, kind: Refusal) -> None:
    """What another endpoint may answer is told from the chain's own word, and a range of logs from a rate."""
    assert kind is of_question(RpcRefused(method, code, message))


@pytest.mark.parametrize(
    ("error", "reverted"),
    [
        (RpcRefused("eth_call", 3, "execution reverted"), True),
        (RpcRefused("eth_call", -32000, "execution reverted: no"), True),
        (RpcRefused("eth_call", -32015, "VM execution error.", "Reverted 0x"), True),
        (RpcRefused("eth_call", -32000, "header not found"), False),
    ],
)
def test_reverts(error: RpcRefused, reverted: bool) -> None:
    """A call that the contract undid is known by code or word."""
    assert reverted == is_revert(error)

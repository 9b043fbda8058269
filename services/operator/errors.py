"""
The operator's errors.

    MeshError
    ├── FailedPrecondition
    │   ├── UnreadableState        the file of contract addresses is damaged
    │   ├── UnreadableCode         the file of a contract's code has none
    │   ├── UnusableCertificate    a file of the order's certificates is missing or cannot be shown to a contract
    │   ├── SharedKey              two nodes have one key
    │   ├── KeysLost               nodes that ran before have no keys any more
    │   ├── NodeRefused            a node answers a request with a refusal that a retry will not change
    │   ├── TemplateRefused        a template of jobs becomes nothing that a node takes
    │   ├── FeedFilesFaulty        a template or the file of addresses was good and cannot be read any more
    │   ├── TransactionReverted    the chain executed a transaction and undid it
    │   ├── FaucetEmpty            the faucet cannot pay a top-up
    │   │   └── TopupRequired      the same, where the configuration says that this ends everything
    │   ├── IdentitiesRefused      every feed's contract lists other oracles than these nodes
    │   └── UnusableContract       a feed's contract is missing, is another feed's, or belongs to somebody else
    │       └── ForeignOracles     it lists oracles whose keys are not kept here
    └── Unavailable
        ├── NodeUnavailable        a node does not answer, or answers with a server error
        └── ChainUnavailable       the chain's RPC does not answer as it should
"""

from enum import StrEnum
from pathlib import Path
from typing import Final

from meshkit.errors import FailedPrecondition, Unavailable

_MOST_SHOWN = 4
_WAY_OUT = (
    "bring the keys back (feedmesh restore, feedmesh keys import), or set solution.mesh.contracts.replaceOracles to "
    "true to have these nodes listed instead"
)


def _beside(failed: int, left: int) -> str:
    more = [f"{failed - 1} more failed"] if failed > 1 else []
    more += [f"{left} were not tried"] if left else []
    return f" (of the node's changes, {' and '.join(more)})" if more else ""


class UnreadableState(FailedPrecondition):
    """The file of contract addresses exists and is damaged; it is left as it is."""

    reason = "UNREADABLE_STATE"

    def __init__(self, path: Path, cause: str) -> None:
        super().__init__(f"{path}: {cause}; restore it, or delete it to have all contracts deployed anew")
        self.path = path
        self.cause = cause


class UnreadableCode(FailedPrecondition):
    """The file of a contract's creation code has none."""

    reason = "UNREADABLE_CODE"

    def __init__(self, path: Path, cause: str) -> None:
        super().__init__(f"solution.mesh.contracts.ocr2CodeFile: {path}: {cause}")
        self.path = path
        self.cause = cause


class UnusableCertificate(FailedPrecondition):
    """A file of the order's certificates is missing, damaged, or cannot be shown to a contract."""

    reason = "UNUSABLE_CERTIFICATE"

    def __init__(self, path: Path, cause: str) -> None:
        super().__init__(f"{path} {cause}; without it no admin can be registered at solution.adminContractAddress")
        self.path = path
        self.cause = cause


class KeysLost(FailedPrecondition):
    """Nodes that ran before have no keys any more: new ones would be other oracles, with other contracts."""

    reason = "KEYS_LOST"

    def __init__(self, keys: Path, nodes: tuple[int, ...], files: Path) -> None:
        super().__init__(
            f"{keys} has no keys of nodes that ran before: {', '.join(map(str, nodes))}; bring them back "
            f"(feedmesh restore, feedmesh keys import), or remove {files} to have new oracles"
        )
        self.keys = keys
        self.nodes = nodes


class SharedKey(FailedPrecondition):
    """Two nodes have one key, so each would be taken for the other."""

    reason = "SHARED_KEY"

    def __init__(self, path: Path, other: Path) -> None:
        super().__init__(f"{path} holds the same key as {other}; each node needs keys of its own")
        self.path = path
        self.other = other


class NodeRefused(FailedPrecondition):
    """A node answers a request with a refusal; `detail` is its own text."""

    reason = "NODE_REFUSED"

    def __init__(self, node: str, request: str, status: int, detail: str) -> None:
        super().__init__(f"{node}: {request} answered {status}: {detail}")
        self.node = node
        self.request = request
        self.http_code = status
        self.detail = detail

    def among(self, failed: int, left: int) -> "NodeRefused":
        """Return it as the first of so many failures, after which so many other changes were not tried."""
        return NodeRefused(self.node, self.request, self.http_code, self.detail + _beside(failed, left))


class NodeFailure(StrEnum):
    """Why a request to a node's API failed."""

    NOT_READY = "not_ready"
    TIMEOUT = "timeout"
    CONNECTION = "connection"
    ANSWER = "answer"
    """It is no JSON, of another form, or sends us elsewhere."""
    LIMIT = "limit"
    """429: the node has not taken it at all."""
    SERVER = "server"
    """5xx, which may have been done all the same."""
    REFUSED = "refused"
    LOGIN = "login"


class TemplateRefused(FailedPrecondition):
    """A template of jobs becomes nothing that a node takes; the other feeds' jobs are made."""

    reason = "TEMPLATE_REFUSED"

    def __init__(self, file: str, cause: Exception) -> None:
        super().__init__(f"the job template {file}: {cause}")
        self.file = file


class FeedFilesFaulty(FailedPrecondition):
    """
    A template, or the file of addresses, was good when the mesh started and is no more.

    Which feeds there are is not known then: no job is deleted and no contract deployed for want of one.
    """

    reason = "FEED_FILES_FAULTY"

    def __init__(self, faults: tuple[str, ...]) -> None:
        shown = "; ".join(faults[:_MOST_SHOWN]) + ("; …" if len(faults) > _MOST_SHOWN else "")
        super().__init__(
            f"{shown}; no job is deleted and no contract deployed until that is mended and the operator started anew "
            "(feedmesh restart operator)"
        )
        self.faults = faults


class NodeUnavailable(Unavailable):
    """
    A node does not answer, or answers with a server error; `detail` says how.

    `retry_after_s` is how long it wants to be left alone, 0 if it does not say.
    """

    reason = "NODE_UNAVAILABLE"

    def __init__(
        self, node: str, request: str, detail: str, failure: NodeFailure, *, retry_after_s: float = 0.0
    ) -> None:
        super().__init__(f"{node}: {request}: {detail}")
        self.node = node
        self.request = request
        self.detail = detail
        self.failure = failure
        self.retry_after_s = retry_after_s

    def among(self, failed: int, left: int) -> "NodeUnavailable":
        """Return it as the first of so many failures, after which so many other changes were not tried."""
        return NodeUnavailable(self.node, self.request, self.detail + _beside(failed, left), self.failure)


class ChainUnavailable(Unavailable):
    """The chain's RPC does not answer as it should; `request` is what was asked."""

    reason = "CHAIN_UNAVAILABLE"

    def __init__(self, request: str, detail: str) -> None:
        super().__init__(f"chain: {request}: {detail}")
        self.request = request
        self.detail = detail


class FaucetEmpty(FailedPrecondition):
    """The faucet cannot pay a top-up; `waiting` says for what."""

    reason = "FAUCET_EMPTY"

    def __init__(self, address: str, balance_wei: int, waiting: tuple[str, ...]) -> None:
        super().__init__(f"faucet {address} has {balance_wei} wei, too little for: {', '.join(waiting)}")
        self.address = address
        self.balance_wei = balance_wei
        self.waiting = waiting


class TopupRequired(FaucetEmpty):
    """The faucet cannot pay a top-up, and `balanceTopupRequired` says that nothing may go on without."""

    reason = "TOPUP_REQUIRED"


class UnusableContract(FailedPrecondition):
    """A feed's contract is missing, is another feed's, or belongs to somebody else."""

    reason = "UNUSABLE_CONTRACT"

    def __init__(self, feed: str, cause: str) -> None:
        super().__init__(f"{feed}: {cause}")
        self.feed = feed
        self.cause = cause


class ForeignOracles(UnusableContract):
    """A feed's contract lists oracles whose keys are not kept here; `foreign` are their addresses."""

    reason = "FOREIGN_ORACLES"

    def __init__(self, feed: str, address: str, foreign: tuple[str, ...]) -> None:
        shown = ", ".join(foreign[:_MOST_SHOWN]) + (", …" if len(foreign) > _MOST_SHOWN else "")
        super().__init__(
            feed, f"its contract {address} lists oracles whose keys are not kept here; {_WAY_OUT}; listed are: {shown}"
        )
        self.address = address
        self.foreign = foreign


class IdentitiesRefused(FailedPrecondition):
    """Every feed's contract lists oracles whose keys are not kept here: these nodes are not who they were."""

    reason = "IDENTITIES_REFUSED"

    def __init__(self, keys: Path, feeds: int, example: ForeignOracles) -> None:
        super().__init__(
            f"{keys} has not the keys of the oracles that the contracts list (of {example.feed} and {feeds - 1} other "
            f"feeds); {_WAY_OUT}; the contract of {example.feed} is {example.address}"
        )
        self.keys = keys
        self.feeds = feeds


class TransactionReverted(FailedPrecondition):
    """The chain executed a transaction and undid it; `revert` is the contract's text, if it gave one."""

    reason = "TRANSACTION_REVERTED"

    def __init__(self, purpose: str, transaction_hash: str, revert: str) -> None:
        super().__init__(f"{purpose} reverted: {revert} (transaction {transaction_hash})")
        self.purpose = purpose
        self.transaction_hash = transaction_hash
        self.revert = revert


ENDING: Final = (TopupRequired, IdentitiesRefused)
"""What ends the operator, and after its restarts the mesh: nothing may go on, and no later pass will mend it."""

"""The types of tasks that a real node has and this one does not: jobs with them are taken, and the tasks fail."""

from dataclasses import dataclass
from typing import Self

from services.oracle.pipeline.attributes import Attributes
from services.oracle.pipeline.errors import TaskError
from services.oracle.pipeline.task import Context
from services.oracle.pipeline.values import Value

# Those that write to a chain: no observation can wait for them.
_ASYNCHRONOUS = "ethtx"
UNAVAILABLE = {
    "panic": ("msg",),
    "ethcall": (
        "contract",
        "from",
        "data",
        "gas",
        "gasPrice",
        "gasTipCap",
        "gasFeeCap",
        "gasUnlimited",
        "extractRevertReason",
        "evmChainID",
        "block",
    ),
    "ethtx": (
        "from",
        "to",
        "data",
        "gasLimit",
        "txMeta",
        "minConfirmations",
        "failOnRevert",
        "evmChainID",
        "transmitChecker",
        "forwardingAllowed",
    ),
    "ethabiencode2": ("abi", "data"),
    "ethabidecodelog": ("abi", "data", "topics"),
    "cborparse": ("data", "mode"),
    "estimategaslimit": ("input", "from", "to", "multiplier", "data", "evmChainID", "block"),
    "vrf": ("publicKey", "requestBlockHash", "requestBlockNumber", "topics"),
    "vrfv2": ("publicKey", "requestBlockHash", "requestBlockNumber", "topics"),
    "vrfv2plus": ("publicKey", "requestBlockHash", "requestBlockNumber", "topics"),
}


@dataclass(frozen=True, slots=True)
class UnavailableTask:
    """Fail: a value that is not worked out is better than one that is made up."""

    kind: str
    is_asynchronous: bool

    @classmethod
    def read(cls, kind: str, attributes: Attributes) -> Self:
        """Take the attributes that the type has."""
        for name in UNAVAILABLE[kind]:
            attributes.text(name)
        return cls(kind, kind == _ASYNCHRONOUS)

    async def run(self, context: Context) -> Value:
        """Raise TaskError."""
        context.checked(0, None)
        raise TaskError(f"task type {self.kind} is not available on this node")

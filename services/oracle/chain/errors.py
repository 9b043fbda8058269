"""
Errors of transmitting.

ChainError                of chainlink.rpc.errors
├── Unfunded              the account cannot pay a transaction: address, the chain's text
├── AnswerOutOfBounds     the contract would revert a report: its answer is not one that it takes
└── Superseded            a report was not sent, since a newer one of the feed came
"""

from chainlink.rpc.errors import ChainError


class Unfunded(ChainError):
    """An account has too little to pay a transaction; nothing was sent, and the next one is tried again."""

    def __init__(self, address: str, detail: str) -> None:
        super().__init__(address, detail)
        self.address = address
        self.detail = detail

    def __str__(self) -> str:
        return f"{self.address} cannot pay: {self.detail}"


class AnswerOutOfBounds(ChainError):
    """A report was not sent, because the contract takes no such answer; `bounds` says which it takes."""

    def __init__(self, answer: int, bounds: str) -> None:
        super().__init__(answer, bounds)
        self.answer = answer
        self.bounds = bounds

    def __str__(self) -> str:
        return f"the feed is pinned: the answer {self.answer} is outside of {self.bounds}"


class Superseded(ChainError):
    """A report was dropped before it was sent, because the feed had a newer one."""

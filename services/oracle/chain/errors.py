"""
Errors of transmitting.

ChainError                of chainlink.rpc.errors
├── Unfunded              the account cannot pay a transaction: address, the chain's text
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


class Superseded(ChainError):
    """A report was dropped before it was sent, because the feed had a newer one."""

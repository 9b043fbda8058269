"""
Errors of the chain's side.

Exception
└── ChainError            root
    ├── RpcRefused        the endpoint answered with an error: code, message
    ├── Malformed         an answer is not what the contract or the endpoint should give
    └── Superseded        a report was not sent, since a newer one of the feed came
"""


class ChainError(Exception):
    """Root of the errors of the chain's side."""


class RpcRefused(ChainError):
    """An endpoint answered a call with an error."""

    def __init__(self, method: str, code: int, message: str) -> None:
        super().__init__(method, code, message)
        self.method = method
        self.code = code
        self.message = message

    def __str__(self) -> str:
        return f"{self.method}: {self.message} (code {self.code})"


class Malformed(ChainError):
    """An answer has not the form it must have."""


class Superseded(ChainError):
    """A report was dropped before it was sent, because the feed had a newer one."""

"""
Errors of asking a chain.

Exception
└── ChainError            root of what an endpoint says, or does not say, about one question
    ├── RpcRefused        the endpoint answered with an error: method, code, message, data
    ├── Malformed         an answer is not what the endpoint or the contract should give
    ├── RateLimited       the endpoint wants to be left alone: for how long, if it says so
    └── WrongChain        the endpoint is of another chain: found, configured
MeshError
└── Unavailable
    └── RpcUnavailable    no endpoint of the chain answered
"""

from meshkit.errors import Unavailable


class ChainError(Exception):
    """Root of the errors of one question to a chain."""


class RpcRefused(ChainError):
    """An endpoint answered a call with an error; `data` is what it adds, such as what a revert returned."""

    def __init__(self, method: str, code: int, message: str, data: object = None) -> None:
        super().__init__(method, code, message)
        self.method = method
        self.code = code
        self.message = message
        self.data = data

    def __str__(self) -> str:
        return f"{self.method}: {self.message} (code {self.code})"


class Malformed(ChainError):
    """An answer has not the form it must have."""


class RateLimited(ChainError):
    """An endpoint was asked too much; `retry_after_s` is the rest it asks for, None if it does not say."""

    def __init__(self, method: str, retry_after_s: float | None = None) -> None:
        super().__init__(method, retry_after_s)
        self.method = method
        self.retry_after_s = retry_after_s

    def __str__(self) -> str:
        wait = "" if self.retry_after_s is None else f", it asks for {self.retry_after_s:g} s of rest"
        return f"{self.method}: asked too often{wait}"


class WrongChain(ChainError):
    """An endpoint is of another chain than the configured one."""

    def __init__(self, found: int, configured: int) -> None:
        super().__init__(found, configured)
        self.found = found
        self.configured = configured

    def __str__(self) -> str:
        return f"found chain {self.found}, configured is {self.configured}"


class RpcUnavailable(Unavailable):
    """No RPC endpoint of the chain answered."""

    reason = "RPC_UNAVAILABLE"

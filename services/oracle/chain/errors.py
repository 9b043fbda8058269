"""
Errors of the chain's side.

Exception
└── ChainError            root
    ├── RpcRefused        the endpoint answered with an error: code, message
    ├── Malformed         an answer is not what the contract or the endpoint should give
    ├── WrongChain        the endpoint is of another chain: found, configured
    ├── Unfunded          the account cannot pay a transaction: address, the chain's text
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


class WrongChain(ChainError):
    """An endpoint is of another chain than config.toml says."""

    def __init__(self, found: int, configured: int) -> None:
        super().__init__(found, configured)
        self.found = found
        self.configured = configured

    def __str__(self) -> str:
        return f"it is of chain {self.found}, configured is {self.configured}"


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

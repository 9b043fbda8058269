"""
The errors of the command line.

    CliError                 shown as one line on standard error, with an exit code
    ├── UsageError           an argument is wrong (exit 2)
    └── MeshFailed           the mesh did not start, broke, or did not get on (exit of the supervisor, else 1)
"""


class CliError(Exception):
    """Something the person at the terminal must know; `hint` says where to look."""

    exit_code = 1

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} ({self.hint})" if self.hint else self.message


class UsageError(CliError):
    """An argument is wrong."""

    exit_code = 2


class MeshFailed(CliError):
    """The mesh did not start, broke, or made no progress."""

    def __init__(self, message: str, hint: str = "", exit_code: int = 1) -> None:
        super().__init__(message, hint)
        self.exit_code = exit_code or 1

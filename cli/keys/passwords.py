"""Passwords, from a file or the terminal and from nowhere else: an argument or a variable would show them to others."""

import getpass
import sys
from pathlib import Path

from cli.errors import CliError, UsageError
from meshkit.log_processing.censor import add_secret


def read(file: Path | None, purpose: str, *, twice: bool = False, least_length: int = 1) -> str:
    """
    Return the first line of a file, or what is typed without being shown, twice the same if it is a new password.

    Raises CliError if there is neither a file nor a terminal, or what there is is too short.
    """
    password = _typed(purpose, twice=twice) if file is None else _first_line(file)
    if len(password) < least_length:
        raise UsageError(f"password of {purpose}: found {len(password)} characters, allowed: {least_length} or more")
    try:
        password.encode()
    except UnicodeEncodeError:
        raise UsageError(f"password of {purpose}: found bytes that are no text, allowed: UTF-8") from None
    add_secret(password)
    return password


def _first_line(file: Path) -> str:
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise CliError(f"--password-file: {file} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise CliError(f"--password-file: {file} is not UTF-8 text") from error
    return lines[0] if lines else ""


def _typed(purpose: str, *, twice: bool) -> str:
    if not sys.stdin.isatty():
        raise CliError(
            f"the password of {purpose} is asked for on a terminal, and there is none", "give --password-file"
        )
    password = getpass.getpass(f"Password of {purpose}: ")
    if twice and getpass.getpass("Once more: ") != password:
        raise CliError("the two passwords differ")
    return password

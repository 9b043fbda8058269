"""All that is looked at before a mesh starts or changes: signature, values, what would leave feeds without rounds."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from meshkit.configuration.checks import chain, consistency, defaults, feeds, hosts_and_https, ports, rounds
from meshkit.configuration.faults.problem import InvalidConfiguration, Problem, Remark
from meshkit.configuration.load import founded, register_secrets, validated, with_lines
from meshkit.configuration.reading import document, environment
from meshkit.configuration.reading.document import Document
from meshkit.configuration.signing import signature
from meshkit.configuration.signing.signature import PUBLIC_KEY_VARIABLE, BadSignature
from meshkit.configuration.solution import Configuration
from meshkit.errors import InvalidInput


@dataclass(frozen=True, slots=True)
class Checked:
    """
    Hold what one reading of a file gave.

    Attributes:
        configuration: Its values; where one is wrong, its default. None if there is nothing to be read.
        content: The text that services are to read: the file's own, or that with what stands beside it filled in.
        document: The same as JSON, with what files of secrets hold.
        problems: What keeps a mesh from starting.
        remarks: What is allowed, but worth a word.
        signature: What was found out about the signature, in words.
    """

    path: Path
    configuration: Configuration | None
    content: str = field(repr=False)
    document: Any = field(repr=False)
    problems: tuple[Problem, ...]
    remarks: tuple[Remark, ...]
    signature: str


def check(path: Path, variables: Mapping[str, str]) -> Checked:
    """
    Read a file once and look at all of it; only a file that is no JSON raises InvalidConfiguration.

    Secrets are registered with the log.
    """
    read = document.read(path)
    problems: list[Problem] = []
    signed = _signature(read, variables, problems)
    given, remarks = environment.filled(read.given, variables)
    # What was verified is what services read, to the byte, unless something stands beside it.
    content = json.dumps(given) if remarks else read.content
    with_secrets = document.with_secrets(given, problems)
    configuration, faulty = validated(with_secrets, problems)
    if configuration is not None:
        solution = configuration.solution
        register_secrets(configuration)
        for found in (consistency, hosts_and_https, ports, chain, rounds, feeds):
            problems += founded(found.problems(solution), faulty)
        remarks += [*defaults.remarks(solution), *rounds.remarks(solution), *chain.remarks(solution)]
        remarks += [*feeds.remarks(solution), *hosts_and_https.remarks(solution)]
    ordered = tuple(with_lines(problems, read))
    return Checked(path, configuration, content, with_secrets, ordered, tuple(remarks), signed)


def valid(path: Path, variables: Mapping[str, str]) -> Configuration:
    """Return a file's configuration; raise InvalidConfiguration with every problem if there is one."""
    found = check(path, variables)
    if found.problems or found.configuration is None:
        raise InvalidConfiguration(path, found.problems)
    return found.configuration


def readable(path: Path, variables: Mapping[str, str], *, signed: bool = False) -> Configuration:
    """
    Return a file's values although something of what follows from them is wrong.

    Raises:
        InvalidConfiguration: for values that are wrong themselves and, with `signed`, for a file that the key in the
            variables, if there is one, has not signed.
    """
    read = document.read(path)
    problems: list[Problem] = []
    if signed:
        _signature(read, variables, problems)
    given, _ = environment.filled(read.given, variables)
    configuration, _ = validated(document.with_secrets(given, problems), problems)
    if problems or configuration is None:
        raise InvalidConfiguration(path, with_lines(problems, read))
    register_secrets(configuration)
    return configuration


def with_problems(found: Checked, problems: tuple[Problem, ...]) -> Checked:
    """Return the same with other problems."""
    return replace(found, problems=problems)


def _signature(read: Document, variables: Mapping[str, str], problems: list[Problem]) -> str:
    """Return what is known about the file's signature; what is wrong with it is added to `problems`."""
    solution = read.given.get("solution") if isinstance(read.given, dict) else None
    present = isinstance(solution, dict) and solution.get("signature") is not None
    if not (text := variables.get(PUBLIC_KEY_VARIABLE, "")):
        return f"unchecked: {PUBLIC_KEY_VARIABLE} is not set" if present else "none"
    place = ("solution", "signature")
    try:
        key = signature.public_key(text)
    except InvalidInput as error:
        problems.append(Problem((PUBLIC_KEY_VARIABLE,), repr(error.found), error.allowed))
        return "unchecked"
    name = signature.fingerprint(key)
    try:
        signature.verify(read.given, key)
    except BadSignature as error:
        problems.append(Problem(place, str(error), f"the signature of this content by the key {name}"))
        return f"not valid by the key {name}"
    except InvalidInput as error:
        problems.append(Problem(tuple(error.field.split(".")), str(error.found), f"{error.allowed}, in a signed file"))
        return f"not checked by the key {name}"
    return f"valid by the key {name}"

"""Read `configuration.json` and say clearly what is wrong with it."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, SecretStr, ValidationError

from meshkit.configuration.checks import consistency
from meshkit.configuration.faults import wording
from meshkit.configuration.faults.problem import InvalidConfiguration, Place, Problem
from meshkit.configuration.keys_by_service import ServiceKeys
from meshkit.configuration.reading import booleans, document
from meshkit.configuration.reading.document import Document
from meshkit.configuration.reading.faultless_part import concerns, without_faults
from meshkit.configuration.solution import Configuration
from meshkit.errors import InvalidInput
from meshkit.log_processing.censor import add_secret
from meshkit.paths import CONFIG_VARIABLE


def path_in(environment: Mapping[str, str]) -> Path:
    """Return the path that FEEDMESH_CONFIG gives; raise InvalidInput, which names the variable, if it gives none."""
    if not environment.get(CONFIG_VARIABLE):
        raise InvalidInput(CONFIG_VARIABLE, environment.get(CONFIG_VARIABLE), "the path of a configuration.json")
    return Path(environment[CONFIG_VARIABLE])


def load_from_environment(environment: Mapping[str, str], keys: ServiceKeys) -> Configuration:
    """
    Return the configuration that FEEDMESH_CONFIG names, of which a service can read its own keys and nothing else.

    Raises as `path_in` and `load`.
    """
    return keys.view(load(path_in(environment)))


def load(path: Path) -> Configuration:
    """
    Read and validate the configuration and register its secrets with the log.

    A value that is a path below `spSecretsDir` stands for what that file holds, without white space around it.
    Raises InvalidConfiguration, which names every faulty key, never a secret.
    """
    read = document.read(path)
    problems: list[Problem] = []
    given = document.with_secrets(read.given, problems)
    configuration, faulty = validated(given, problems)
    if configuration is not None:
        problems += founded(consistency.problems(configuration.solution), faulty)
    if problems or configuration is None:
        raise InvalidConfiguration(path, with_lines(problems, read))
    register_secrets(configuration)
    return configuration


def read_document(path: Path) -> Any:
    """Return the file's JSON with what the files of secrets that it names hold; raise InvalidConfiguration."""
    read = document.read(path)
    problems: list[Problem] = []
    given = document.with_secrets(read.given, problems)
    if problems:
        raise InvalidConfiguration(path, with_lines(problems, read))
    return given


def validated(given: Any, problems: list[Problem]) -> tuple[Configuration | None, frozenset[Place]]:
    """
    Return the configuration of a document; what is wrong with it is added to `problems`.

    Then defaults stand in the place of what is wrong, and the places where they do are returned too.
    """
    wrong = [problem.place for problem in problems]
    configuration: Configuration | None
    faults: list[Any] = []
    try:
        configuration = Configuration.model_validate(given)
    except ValidationError as error:
        faults += error.errors(include_input=False, include_url=False)
        configuration, _ = without_faults(given, [*wrong, *(fault["loc"] for fault in faults)])
    faults += [{"type": "int_type", "loc": place} for place in booleans.read_as_numbers(given, configuration)]
    problems += [each for each in wording.problems_of(Configuration, faults, given) if each.place not in wrong]
    wrong += [fault["loc"] for fault in faults]
    return without_faults(given, wrong) if wrong else (configuration, frozenset())


def founded(problems: Iterator[Problem], faulty: frozenset[Place]) -> Iterator[Problem]:
    """Yield the problems that follow from nothing that is wrong itself."""
    for problem in problems:
        if not any(concerns(place, other) for place in (problem.place, *problem.because) for other in faulty):
            yield problem


def with_lines(problems: list[Problem], read: Document) -> list[Problem]:
    """Return the problems with their lines in the file, in the file's order; those without a line come last."""
    located = [read.located(problem) for problem in problems]
    return sorted(located, key=lambda problem: problem.line or len(read.content))


def register_secrets(configuration: Configuration) -> None:
    """Keep every secret of the configuration out of logs and errors."""
    for secret in secrets_of(configuration):
        add_secret(secret)


def secrets_of(section: BaseModel) -> Iterator[str]:
    """Yield the text of every secret in a section."""
    for _, value in section:
        yield from _secrets_in(value)


def _secrets_in(value: object) -> Iterator[str]:
    if isinstance(value, SecretStr):
        yield value.get_secret_value()
    elif isinstance(value, BaseModel):
        yield from secrets_of(value)
    elif isinstance(value, dict):
        for item in value.values():
            yield from _secrets_in(item)

"""Read `configuration.json`, say clearly what is wrong with it, and mask in it what a service is not to see."""

import copy
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, get_args

import orjson
from pydantic import BaseModel, SecretStr, ValidationError

from meshkit import feeds
from meshkit.censor import add_secret
from meshkit.configuration.keys_by_service import ServiceKeys
from meshkit.configuration.solution import SP_SECRETS_DIR, Configuration
from meshkit.errors import FailedPrecondition, InvalidInput
from meshkit.paths import CONFIG_VARIABLE

_MASK: Final = "hidden-from-this-service."


class InvalidConfiguration(FailedPrecondition):
    """The configuration file is not what it should be; `problems` has one line for each fault."""

    reason = "INVALID_CONFIGURATION"

    def __init__(self, path: Path, problems: Sequence[str]) -> None:
        super().__init__(f"{path}: " + "; ".join(problems))
        self.path = path
        self.problems = tuple(problems)


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
    Raises InvalidConfiguration, which names every faulty key, never a value.
    """
    document = read_document(path)
    try:
        configuration = Configuration.model_validate(document)
    except ValidationError as error:
        raise InvalidConfiguration(path, [_describe(fault) for fault in error.errors(include_input=False)]) from error
    if unknown := [name for name in configuration.solution.mesh.feeds if name not in feeds.load()]:
        raise InvalidConfiguration(path, [f"solution.mesh.feeds: {feeds.unknown(name)}" for name in unknown])
    for secret in secrets_of(configuration):
        add_secret(secret)
    return configuration


def read_document(path: Path) -> Any:
    """Return the file's JSON with what the files of secrets that it names hold; raise InvalidConfiguration."""
    try:
        document = orjson.loads(path.read_bytes())
    except OSError as error:
        raise InvalidConfiguration(path, [f"cannot be read: {error.strerror}"]) from error
    except orjson.JSONDecodeError as error:
        raise InvalidConfiguration(path, [f"is not JSON: {error}"]) from error
    problems: list[str] = []
    document = _filled(document, _secrets_dir(document), "", problems)
    if problems:
        raise InvalidConfiguration(path, problems)
    return document


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


def _secrets_dir(document: Any) -> str:
    solution = document.get("solution") if isinstance(document, dict) else None
    found = solution.get("spSecretsDir") if isinstance(solution, dict) else None
    return found if isinstance(found, str) else SP_SECRETS_DIR


def _filled(value: Any, secrets_dir: str, place: str, problems: list[str]) -> Any:
    """Return a value with what the files of secrets that it names hold; what cannot be read is added to `problems`."""
    if isinstance(value, dict):
        return {
            key: _filled(below, secrets_dir, f"{place}.{key}".lstrip("."), problems) for key, below in value.items()
        }
    if isinstance(value, list):
        return [_filled(below, secrets_dir, f"{place}.{index}", problems) for index, below in enumerate(value)]
    if not isinstance(value, str) or not secrets_dir.strip("/") or Path(secrets_dir) not in Path(value).parents:
        return value
    try:
        return Path(value).read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        problems.append(f"{place}: the file {value} cannot be read: {getattr(error, 'strerror', 'no text')}")
        return value


def _describe(fault: Any) -> str:
    location = [str(part) for part in fault["loc"]]
    path = ".".join(location) or "the file"
    if fault["type"] != "extra_forbidden":
        return f"{path}: {fault['msg']}"
    import difflib

    nearest = difflib.get_close_matches(location[-1], _known_names(location[:-1]), n=1)
    hint = f"; did you mean {nearest[0]!r}?" if nearest else ""
    return f"{path}: unknown key{hint}"


def _known_names(location: Sequence[str]) -> list[str]:
    """Return the JSON names allowed in the object at that place."""
    model: Any = Configuration
    for part in location:
        if model is None:
            return []
        field = next((field for field in model.model_fields.values() if field.alias == part), None)
        model = _model_in(field.annotation) if field is not None else model
    return [field.alias for field in model.model_fields.values() if field.alias] if model is not None else []


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """Return the model an annotation contains, for example Source in `dict[str, Source]`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((model for argument in get_args(annotation) if (model := _model_in(argument))), None)


def masked(document: Any, configuration: Configuration, keys: ServiceKeys) -> Any:
    """
    Return the document with a mask in the place of every secret that the service does not declare.

    Args:
        document: The file's JSON, with the secrets themselves in it; it is not changed.
        configuration: The same, validated.
        keys: What the service declares.
    """
    result = copy.deepcopy(document)
    for place, secret in _places_of_secrets(configuration, ()):
        if not keys.has(".".join(place)):
            _set(result, place, _mask(secret))
    return result


def _places_of_secrets(value: object, place: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], str]]:
    if isinstance(value, SecretStr):
        yield place, value.get_secret_value()
    elif isinstance(value, BaseModel):
        for name, below in value:
            yield from _places_of_secrets(below, (*place, type(value).model_fields[name].alias or name))
    elif isinstance(value, dict):
        for name, item in value.items():
            yield from _places_of_secrets(item, (*place, str(name)))


def _mask(secret: str) -> str:
    scheme, is_url, _ = secret.partition("://")
    if is_url:  # still one, of nowhere
        return f"{scheme}://hidden:{_MASK}@localhost"
    # As long as the secret, so that it is valid where that is.
    return (_MASK * (len(secret) // len(_MASK) + 1))[: len(secret)]


def _set(document: Any, place: tuple[str, ...], text: str) -> None:
    *path, last = place
    for name in path:
        document = document[name]
    if last in document:  # else it is a default
        document[last] = text

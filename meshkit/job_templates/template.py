"""A job template: a TOML with placeholders, and the price that its pipeline asks for."""

from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from meshkit.job_templates.price_pipeline import PricePipeline

SUFFIX: Final = ".toml"
_TYPE: Final = "offchainreporting"
# Hundreds of templates of a few kilobytes are usual; what is larger by far is something else.
_MOST_BYTES: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class JobTemplate:
    """
    Hold one template.

    Attributes:
        file: Its name in the directory.
        text: All of it, with placeholders.
        name: The job's name, which is the feed's.
        external_job_id: The one it gives, empty if none; our jobs have ids of their own.
        pipeline: The price it asks for.
        digest: The same for templates that make the same jobs: comments, spaces and the id make no difference.
    """

    file: str
    text: str = field(repr=False)
    name: str
    external_job_id: str
    pipeline: "PricePipeline"
    digest: str = ""


@dataclass(frozen=True, slots=True)
class BadTemplate:
    """Say why a file cannot be a node's job."""

    file: str
    found: str
    allowed: str


@lru_cache(maxsize=1024)
def read(file: str, text: str) -> JobTemplate | BadTemplate:
    """Read a template, or say what is wrong with it."""
    # Here, since most configurations have no templates, and every check and every start would pay for it.
    import hashlib
    import json
    import tomllib

    from meshkit import dot
    from meshkit.job_templates import price_pipeline, tasks
    from meshkit.job_templates.placeholders import ANY_VALUES, filled, known_in, unknown_in

    if unknown := unknown_in(text):
        return BadTemplate(file, f"the placeholder ${unknown[0]}", "placeholders that docs/migrate.md names")
    try:
        document: dict[str, Any] = tomllib.loads(filled(text, ANY_VALUES))
    except tomllib.TOMLDecodeError as error:
        return BadTemplate(file, f"no TOML: {error}", "TOML, once the placeholders have values")
    if document.get("type") != _TYPE:
        return BadTemplate(file, f"the type {document.get('type')!r}", f"jobs of the type {_TYPE}")
    name, source = document.get("name"), document.get("observationSource")
    if not isinstance(name, str) or not name.strip():
        return BadTemplate(file, "no name", "a name, which is the feed's")
    if "JOB_CA" not in text:
        return BadTemplate(file, "no $JOB_CA", "the contract's address as the placeholder $JOB_CA")
    if not isinstance(source, str):
        return BadTemplate(file, "no observationSource", "a pipeline")
    try:
        pipeline = price_pipeline.read(tasks.read(source))
    except dot.NotDot as error:
        return BadTemplate(file, f"no pipeline: {error}", "tasks and arrows as a node reads them")
    given_id = document.pop("externalJobID", None)
    # Two placeholders may have the same value here, so which ones there are counts too.
    content = json.dumps((document, known_in(text)), sort_keys=True, default=str)
    digest = hashlib.sha256(content.encode()).hexdigest()[:16]
    return JobTemplate(file, text, name.strip(), given_id if isinstance(given_id, str) else "", pipeline, digest)


def read_directory(directory: Path) -> tuple[JobTemplate | BadTemplate, ...]:
    """Read all templates of a directory in the order of their names. Raises OSError if it cannot be listed."""
    found: list[JobTemplate | BadTemplate] = []
    for path in sorted(directory.iterdir()):
        if path.suffix != SUFFIX or not path.is_file():
            continue
        try:
            content = path.read_bytes()
            text = content.decode() if len(content) <= _MOST_BYTES else ""
        except (OSError, UnicodeDecodeError) as error:
            found.append(BadTemplate(path.name, f"what cannot be read ({type(error).__name__})", "a text"))
            continue
        if not text:
            size = f"{len(content)} bytes"
            found.append(BadTemplate(path.name, size, f"1 to {_MOST_BYTES} bytes"))
        else:
            found.append(read(path.name, text))
    return tuple(found)

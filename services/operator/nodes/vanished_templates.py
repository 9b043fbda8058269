"""Templates that were there at an earlier start and are all gone: a disk that is not mounted looks like that."""

from dataclasses import replace

import orjson

from meshkit import atomic_file, log, private_directory
from services.operator.config import OperatorConfig

_FILE = "templates.json"
_log = log.get_logger(__name__)


def checked(config: OperatorConfig) -> OperatorConfig:
    """Return the configuration, with a fault of its feeds if the directory had templates before; remember if it has."""
    path, directory = config.data.operator / _FILE, config.templates_directory
    if directory is None:
        return config
    if config.templates:
        try:
            private_directory.make(path.parent)
            # After a power failure the next start with templates writes it again.
            content = orjson.dumps({"directory": directory, "templates": config.templates})
            atomic_file.replace(path, content, private_directory.FILE_MODE, durable=False)
        except OSError as error:
            _log.warning("templates_not_remembered", file=str(path), error=error.strerror)
        return config
    try:
        found = orjson.loads(path.read_bytes())
        before = int(found["templates"]) if found["directory"] == directory else 0
    except (OSError, orjson.JSONDecodeError, KeyError, TypeError, ValueError):
        # Nothing is known of earlier starts.
        before = 0
    if not before:
        return config
    fault = (
        f"solution.chainlinkFeedTemplatesDir: found no template in {directory}, where there were {before}, allowed: at "
        f"least one of them; if their feeds are to lose their jobs, set null, or remove {path}"
    )
    return replace(config, feed_faults=(*config.feed_faults, fault), deploy_contracts=False)

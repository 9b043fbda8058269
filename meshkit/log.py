"""
Structured logging: one JSON object a line on standard output, secrets censored by value.

A secret is registered once, where it is read (`add_secret`); from then on its text is replaced in every event,
wherever it turns up: in a URL, in an exception, in a nested value.
"""

import logging
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, cast

import orjson


@contextmanager
def _without(name: str) -> Iterator[None]:
    """Let imports find no such package, unless it is loaded already."""
    absent = cast(dict[str, object], sys.modules)
    is_ours = absent.setdefault(name, None) is None
    try:
        yield
    finally:
        if is_ours:
            del absent[name]


# Where structlog finds rich it loads it, to draw tracebacks on terminals: 3 MB and 70 ms of each process for nothing.
with _without("rich"):
    import structlog
    from structlog.typing import EventDict, WrappedLogger

CENSORED = "***"
# Shorter texts would censor ordinary words; such a value is too weak to be a secret anyway.
_SHORTEST_SECRET = 8

_secrets: set[str] = set()


def add_secret(value: str) -> None:
    """Replace this text by `***` in every event from now on; texts under 8 characters are ignored."""
    if len(value) >= _SHORTEST_SECRET:
        _secrets.add(value)


def censor(value: object) -> object:
    """Return the value with every registered secret in its texts replaced, also within mappings and lists."""
    if isinstance(value, str):
        for secret in _secrets:
            if secret in value:
                value = value.replace(secret, CENSORED)
        return value
    if isinstance(value, Mapping):
        return {key: censor(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [censor(item) for item in value]
    if isinstance(value, int | float | bool | None):
        return value
    return censor(str(value))


def _censor_event(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    return {key: censor(value) for key, value in event.items()} if _secrets else event


def _render(_logger: WrappedLogger, _method: str, event: EventDict) -> str:
    return orjson.dumps(event, default=str, option=orjson.OPT_NON_STR_KEYS).decode()


def configure(service: str, level: str = "info") -> None:
    """Send the events of structlog and of the standard library to standard output as JSON, tagged with `service`."""

    def add_service(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        event["service"] = service
        return event

    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
        add_service,
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, _censor_event, _render],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    # These libraries report every connection at info.
    for chatty in ("aiohttp.access", "web3", "asyncio", "urllib3"):
        logging.getLogger(chatty).setLevel(logging.WARNING)


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    """Return the logger of a module."""
    return cast(structlog.stdlib.BoundLogger, structlog.get_logger(name))


def bind(**fields: Any) -> None:
    """Add fields to every event of the current task and of the tasks it starts."""
    structlog.contextvars.bind_contextvars(**fields)

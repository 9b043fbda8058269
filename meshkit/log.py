"""Structured logging: one JSON object a line on standard output, secrets censored by value."""

import logging
import sys
from typing import Any, cast

import orjson

from meshkit.log_processing.censor import CENSORED as CENSORED
from meshkit.log_processing.censor import add_secret as add_secret
from meshkit.log_processing.censor import censor as censor
from meshkit.log_processing.censor import knows_secrets
from meshkit.log_processing.folding import Folding
from meshkit.optional_packages import without

# Where structlog finds rich it loads it, to draw tracebacks on terminals, and greenlet for threads of another kind:
# 4 MB and 70 ms of each process for nothing.
with without("rich"), without("greenlet"):
    import structlog
    from structlog.typing import EventDict, WrappedLogger


def _censor_event(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    return {key: censor(value) for key, value in event.items()} if knows_secrets() else event


def _render(_logger: WrappedLogger, _method: str, event: EventDict) -> str:
    return orjson.dumps(event, default=str, option=orjson.OPT_NON_STR_KEYS).decode()


def configure(service: str, level: str = "info") -> None:
    """Send the events of structlog and of the standard library to standard output as JSON, tagged with `service`."""

    def add_service(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        event["service"] = service
        return event

    folding = Folding()

    def fold(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        if not folding.written(event):
            raise structlog.DropEvent
        return event

    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        fold,
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

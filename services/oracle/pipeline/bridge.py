"""The bridge task: ask an adapter by the name the node knows it under."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Self

import orjson

from services.oracle.pipeline import variables
from services.oracle.pipeline.attributes import Attributes
from services.oracle.pipeline.errors import TaskError
from services.oracle.pipeline.fetch import Answer, json_headers
from services.oracle.pipeline.task import Context, Value

_DEFAULT_MAX_BACKOFF_S = 60.0
_DEFAULT_MIN_BACKOFF_S = 5.0


class StatusError(TaskError):
    """The adapter answered, but with a failure; a 4xx is not worth a retry."""

    def __init__(self, text: str, status: int) -> None:
        super().__init__(text)
        self.status = status


@dataclass(frozen=True, slots=True)
class BridgeTask:
    """Post the request data and the run's meta to a bridge; the result is the body as text."""

    name: str
    request_data: str
    include_input_at_key: str
    headers: str
    cache_ttl_s: float | None
    retries: int
    min_backoff_s: float | None
    max_backoff_s: float | None

    @classmethod
    def read(cls, attributes: Attributes) -> Self:
        """Take the attributes; an asynchronous bridge is refused, since an observation cannot wait for it."""
        if attributes.flag("async"):
            raise attributes.error("async", "true", "false")
        return cls(
            attributes.required("name"),
            attributes.text("requestData") or "",
            attributes.text("includeInputAtKey") or "",
            attributes.text("headers") or "",
            attributes.duration("cacheTTL"),
            attributes.integer("retries") or 0,
            attributes.duration("minBackoff"),
            attributes.duration("maxBackoff"),
        )

    async def run(self, context: Context) -> Value:
        """Return the body of the adapter's answer; None for a failure without words, as the node does."""
        inputs = context.no_errors()
        name = str(variables.resolve(self.name, context.variables))
        url = context.fetcher.bridge(name)
        body = self._body(inputs[0] if inputs else None, context.variables)
        headers = json_headers(variables.resolve_json(self.headers, context.variables)) if self.headers else ()
        timeout_s = None if context.has_own_timeout else context.fetcher.default_timeout_s
        ttl_s = self.cache_ttl_s if self.cache_ttl_s is not None else context.fetcher.bridge_cache_ttl_s
        # The meta changes with each run and must not make each answer a new one.
        request = self.request_data
        try:
            answer = await self._attempts(context, url, body, headers, timeout_s)
            result = interpret(answer)
        except TaskError:
            kept = context.fetcher.recall(name, request, ttl_s) if ttl_s > 0 else None
            if kept is None:
                raise
            return kept
        if result is not None and ttl_s > 0:
            context.fetcher.remember(name, request, result)
        return result

    async def _attempts(self, context: Context, url: str, body: bytes, headers: Any, timeout_s: float | None) -> Answer:
        left = self.retries
        backoff_s = self.min_backoff_s if self.min_backoff_s is not None else _DEFAULT_MIN_BACKOFF_S
        longest_s = _DEFAULT_MAX_BACKOFF_S
        if self.min_backoff_s is not None and self.max_backoff_s is not None:
            longest_s = self.max_backoff_s
        while True:
            try:
                answer = await context.fetcher.send("POST", url, body, headers, timeout_s)
                interpret(answer)
                return answer
            except TaskError as error:
                if left <= 0 or (isinstance(error, StatusError) and 400 <= error.status < 500):
                    raise
            left -= 1
            await asyncio.sleep(min(backoff_s, longest_s))
            backoff_s *= 2

    def _body(self, first_input: Value, run: Mapping[str, Any]) -> bytes:
        data = variables.resolve_json(self.request_data, run) if self.request_data.strip() else {}
        if not isinstance(data, dict):
            raise TaskError("requestData must be a JSON object")
        job_run = run.get("jobRun")
        meta = job_run.get("meta") if isinstance(job_run, Mapping) else None
        if meta is not None:
            data["meta"] = meta
        if self.include_input_at_key:
            data[self.include_input_at_key] = first_input
        return dump(data)


def interpret(answer: Answer) -> str | None:
    """Return an adapter's result, None for a silent failure; StatusError for one that says what it is."""
    body = _object(answer.body)
    status = answer.status
    if status >= 400:
        named = _named_error(body)
        if named:
            raise StatusError(named, status)
        text = body.get("error") or body.get("errorMessage") or answer.body
        raise StatusError(f"got error from URL: (status code {status}) {text if isinstance(text, str) else ''}", status)
    if isinstance(body.get("statusCode"), int) and not isinstance(body.get("statusCode"), bool):
        status = _own_status(body)
    if status == 200:
        return answer.body
    named = _named_error(body)
    if named:
        raise StatusError(named, status)
    return None


def dump(value: object) -> bytes:
    """Return compact JSON with sorted keys, decimals as numbers with all their digits."""
    # The json module cannot write a Decimal as a number, so it leaves a mark that is replaced in the text.
    marks: dict[str, str] = {}

    def mark(found: object) -> str:
        if isinstance(found, Decimal):
            name = f"\x00{len(marks)}\x00"
            marks[json.dumps(name)] = format(found, "f")
            return name
        raise TaskError(f"cannot send {type(found).__name__} as JSON")

    text = json.dumps(value, default=mark, sort_keys=True, separators=(",", ":"))
    for name, number in marks.items():
        text = text.replace(name, number)
    return text.encode()


def _own_status(body: Mapping[str, Any]) -> int:
    for key in ("statusCode", "providerStatusCode"):
        status = body.get(key)
        if isinstance(status, int) and status != 200:
            return status
    return 500 if body.get("error") is not None else 200


def _named_error(body: Mapping[str, Any]) -> str | None:
    error = body.get("error")
    if isinstance(error, Mapping) and ("name" in error or "message" in error):
        return f"{error.get('name', '')}: {error.get('message', '')}"
    return None


def _object(text: str) -> Mapping[str, Any]:
    try:
        document = orjson.loads(text)
    except orjson.JSONDecodeError:
        return {}
    return document if isinstance(document, dict) else {}

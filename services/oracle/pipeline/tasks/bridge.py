"""The bridge task: ask an adapter by the name the node knows it under."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from services.oracle.pipeline.attributes import Attributes
from services.oracle.pipeline.errors import OWN_CLOCK_OFF, TaskError
from services.oracle.pipeline.fetch import Answer, StatusError, answer_of, json_object
from services.oracle.pipeline.parameters import (
    constant,
    json_text,
    resolve,
    text,
    to_mapping,
    to_seconds,
    to_text,
    to_texts,
    variable,
)
from services.oracle.pipeline.task import Context
from services.oracle.pipeline.values import Value, dump


@dataclass(frozen=True, slots=True)
class BridgeTask:
    """Post the request data and the run's meta to a bridge; the result is the body as text."""

    id: str
    name: str
    request_data: str
    include_input_at_key: str
    headers: str
    cache_ttl: str
    is_asynchronous: bool = False

    @classmethod
    def read(cls, attributes: Attributes) -> Self:
        """Take the attributes."""
        return cls(
            attributes.task_id,
            attributes.text("name"),
            attributes.text("requestData"),
            attributes.text("includeInputAtKey"),
            attributes.text("headers"),
            attributes.text("cacheTTL"),
            attributes.text("async") == "true",
        )

    async def run(self, context: Context) -> Value:
        """
        Return the body of the adapter's answer; None for a failure without words, as the node does.

        After a failure, also for want of time, the last good answer to the same request stands in, if it is not older
        than `cacheTTL`. It does not where the adapter says that the clock is off, as nobody knows then how old it is.
        """
        inputs = context.checked(-1, None)
        name = resolve("name", to_text, text(self.name))
        data = resolve(
            "requestData",
            to_mapping,
            variable(self.request_data, context.variables),
            json_text(self.request_data, context.variables),
            constant(None),
        )
        ttl_s = resolve("cacheTTL", to_seconds, text(self.cache_ttl), constant(context.fetcher.bridge_cache_ttl_s))
        headers = resolve("reqHeaders", to_texts, text(self.headers), constant("[]"))
        if len(headers) % 2:
            raise TaskError("headers must have an even number of elements")
        url = context.fetcher.bridge(name)
        # The run's meta changes with each answer: it is sent, but an answer belongs to the rest of the request.
        asked = dict(data or {})
        sent = asked | _meta(context.variables)
        if self.include_input_at_key and inputs:
            asked[self.include_input_at_key] = sent[self.include_input_at_key] = inputs[0]
        request = dump(asked) if ttl_s > 0 else b""
        try:
            result = interpret(await self._answer(context, url, sent, headers))
        except TaskError as error:
            if OWN_CLOCK_OFF in str(error):
                raise
            kept = context.last_answers.recall(self.id, request, ttl_s) if ttl_s > 0 else None
            if kept is None:
                raise
            return kept
        if result is None and ttl_s > 0:
            return context.last_answers.recall(self.id, request, ttl_s)
        if ttl_s > 0:
            context.last_answers.remember(self.id, request, result or "")
        return result

    async def _answer(self, context: Context, url: str, sent: dict[str, Value], headers: list[str]) -> Answer:
        try:
            return await context.fetcher.send("POST", url, sent, headers, context.until_s)
        except TaskError as error:
            answer = answer_of(error)
            named = _named_error(json_object(answer.body)) if answer else None
            if answer is None or named is None:
                raise
            raise StatusError(named, _own_status(answer)) from error


def interpret(answer: Answer) -> str | None:
    """Return an adapter's result, None for a silent failure; StatusError for one that says what it is."""
    status = _own_status(answer)
    if status == 200:
        return answer.body
    named = _named_error(json_object(answer.body))
    if named is None:
        return None
    raise StatusError(named, status)


def _meta(variables: Mapping[str, Value]) -> dict[str, Value]:
    job_run = variables.get("jobRun")
    meta = job_run.get("meta") if isinstance(job_run, Mapping) else None
    return {} if meta is None else {"meta": meta}


def _own_status(answer: Answer) -> int:
    """Return the status that an answer's body names for itself, else that of HTTP."""
    body = json_object(answer.body) or {}
    if not _is_status(body.get("statusCode")):
        return answer.status
    for key in ("statusCode", "providerStatusCode"):
        if _is_status(body.get(key)) and body[key] != 200:
            return int(body[key])
    return 500 if body.get("error") is not None else 200


def _is_status(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _named_error(body: Mapping[str, Any] | None) -> str | None:
    error = (body or {}).get("error")
    if isinstance(error, Mapping) and all(isinstance(error.get(key), str | None) for key in ("name", "message")):
        return f"{error.get('name') or ''}: {error.get('message') or ''}"
    return None

"""The shapes of the REST API: JSON:API documents and error bodies."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import orjson
from aiohttp import ClientPayloadError, web
from aiohttp.http_exceptions import BadHttpMessage

MEDIA_TYPE = "application/vnd.api+json"
DEFAULT_PAGE_SIZE = 25
_LARGEST = 10**6
_NATURAL = re.compile(r"[0-9]{1,19}")
_LONGEST_DETAIL = 2000


class Refused(Exception):
    """End a request with a status and a text, where the real node's answer is not that of the domain's error."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(status, detail)
        self.status = status
        self.detail = detail

    def __str__(self) -> str:
        return self.detail


def resource(kind: str, identity: str, attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Return a JSON:API resource."""
    return {"type": kind, "id": identity, "attributes": dict(attributes)}


def one(item: Mapping[str, Any], status: int = 200) -> web.Response:
    """Answer with one resource."""
    return web.Response(body=orjson.dumps({"data": item}), status=status, content_type=MEDIA_TYPE)


def many(request: web.Request, items: Sequence[Mapping[str, Any]], size: int = DEFAULT_PAGE_SIZE) -> web.Response:
    """Answer with the page of resources that the query asks for; 422 for a page that is none."""
    number, size = window(request, size)
    first = (number - 1) * size
    return page(request, items[first : first + size], len(items), number, size)


def window(request: web.Request, size: int) -> tuple[int, int]:
    """Return number, from 1, and size of the page that the query asks for; 422 for a page that is none."""
    found_size = natural(request.query.get("size", str(size)), _LARGEST)
    number = natural(request.query.get("page", "1"), _LARGEST)
    if not found_size or not number:
        raise Refused(422, f"size and page: allowed: numbers from 1 to {_LARGEST}")
    return number, found_size


def natural(text: str, largest: int) -> int | None:
    """Return a whole number from 0 in ASCII digits; None if the text is none, or one that is too large."""
    number = int(text) if _NATURAL.fullmatch(text) else None
    return number if number is not None and number <= largest else None


def shortened(text: str) -> str:
    """Return a text that an error may say, without all of what a caller sent."""
    return text if len(text) <= _LONGEST_DETAIL else f"{text[:_LONGEST_DETAIL]}…"


def page(request: web.Request, items: Sequence[Mapping[str, Any]], count: int, number: int, size: int) -> web.Response:
    """Answer with one page of `count` resources."""
    document: dict[str, Any] = {"data": list(items), "meta": {"count": count}}
    if number * size < count:
        document["links"] = {"next": f"{request.path}?page={number + 1}&size={size}"}
    return web.Response(body=orjson.dumps(document), content_type=MEDIA_TYPE)


def failure(status: int, detail: str) -> web.Response:
    """Answer with an error."""
    return web.Response(
        body=orjson.dumps({"errors": [{"detail": detail.encode("utf-8", "replace").decode()}]}),
        status=status,
        content_type="application/json",
    )


def timestamp(time: datetime) -> str:
    """Return a time as the node writes it."""
    return time.isoformat()


async def body(request: web.Request, status: int = 422) -> Mapping[str, Any]:
    """Return the request's JSON object; `status` if it is none."""
    try:
        document = orjson.loads(await request.read())
    except (ConnectionError, ClientPayloadError, BadHttpMessage) as error:
        raise Refused(400, "the body did not arrive whole") from error
    except orjson.JSONDecodeError as error:
        raise Refused(status, f"invalid JSON: {error}") from error
    if not isinstance(document, dict):
        raise Refused(status, "invalid JSON: found no object")
    return document

"""The shapes of the REST API: JSON:API documents and error bodies."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import orjson
from aiohttp import web

from services.oracle import go_texts

MEDIA_TYPE = "application/vnd.api+json"
DEFAULT_PAGE_SIZE = 25
# What a page number times a size may be, to be one of PostgreSQL.
_LARGEST = 2**62
_LONGEST_DETAIL = 2000


class Refused(Exception):
    """End a request with a status and texts, where the real node's answer is not that of the domain's error."""

    def __init__(self, status: int, detail: str, *more: str) -> None:
        super().__init__(status, detail, *more)
        self.status = status
        self.detail = detail
        self.details = (detail, *more)

    def __str__(self) -> str:
        return self.detail


def resource(kind: str, identity: str, attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Return a JSON:API resource."""
    return {"type": kind, "id": identity, "attributes": dict(attributes)}


def one(item: Mapping[str, Any], status: int = 200) -> web.Response:
    """Answer with one resource."""
    return web.Response(body=orjson.dumps({"data": item}), status=status, content_type=MEDIA_TYPE)


def all_of(items: Sequence[Mapping[str, Any]]) -> web.Response:
    """Answer with a list that has no pages."""
    return web.Response(body=orjson.dumps({"data": list(items)}), content_type=MEDIA_TYPE)


def many(request: web.Request, items: Sequence[Mapping[str, Any]], size: int = DEFAULT_PAGE_SIZE) -> web.Response:
    """Answer with the page of resources that the query asks for; 422 for a page that is none."""
    number, size = window(request, size)
    first = (number - 1) * size
    return page(request, items[first : first + size], len(items), number, size)


def window(request: web.Request, size: int = DEFAULT_PAGE_SIZE) -> tuple[int, int]:
    """Return number, from 1, and size of the page that the query asks for; 422 for a page that is none."""
    found_size, number = _page_parameter(request, "size", size), _page_parameter(request, "page", 1)
    if found_size * number > _LARGEST:
        raise Refused(422, f"invalid page param, error: found {number}, allowed: a page that can be")
    return number, found_size


def number_of(request: web.Request, name: str, bits: int) -> int:
    """Return the number in the path; 422 if it is none."""
    try:
        return go_texts.integer(request.match_info[name], bits)
    except ValueError as error:
        raise Refused(422, shortened(str(error))) from error


def _page_parameter(request: web.Request, name: str, default: int) -> int:
    text = request.query.get(name, "")
    if not text:
        return default
    try:
        number = go_texts.integer(text, 64, "Atoi")
    except ValueError as error:
        raise Refused(422, shortened(f"invalid {name} param, error: {error}")) from error
    if number < 1:
        # The node has no error to print there.
        raise Refused(422, f"invalid {name} param, error: %!w(<nil>)")
    return number


def shortened(text: str) -> str:
    """Return a text that an error may say, without all of what a caller sent."""
    return text if len(text) <= _LONGEST_DETAIL else f"{text[:_LONGEST_DETAIL]}…"


def page(request: web.Request, items: Sequence[Mapping[str, Any]], count: int, number: int, size: int) -> web.Response:
    """Answer with one page of `count` resources, and where those before and behind it are."""
    links = {}
    if count > size:
        if number * size < count:
            links["next"] = _link(request, number + 1, size)
        if number > 1:
            links["prev"] = _link(request, number - 1, size)
    document = {**({"links": links} if links else {}), "data": list(items), "meta": {"count": count}}
    return web.Response(body=orjson.dumps(document), content_type=MEDIA_TYPE)


def _link(request: web.Request, number: int, size: int) -> str:
    query = sorted({**request.query, "page": str(number), "size": str(size)}.items())
    return f"{request.path}?{urlencode(query, errors='replace')}"


def failure(status: int, *details: str) -> web.Response:
    """Answer with errors."""
    errors = [{"detail": detail.encode("utf-8", "replace").decode()} for detail in details]
    return web.Response(body=orjson.dumps({"errors": errors}), status=status, content_type="application/json")


def timestamp(time: datetime) -> str:
    """Return a time as the node writes it: in UTC, the fraction of a second without zeros at its end."""
    text = time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f").rstrip("0").rstrip(".")
    return f"{text}Z"

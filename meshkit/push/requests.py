"""What is asked of a receiver for a page: pure, but for the memory of what it was given before."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from yarl import URL

from meshkit.metrics import CONTENT_TYPE
from meshkit.push import exposition, grouping_path, remote_write
from meshkit.push.config import TTL_LABEL, PushConfig
from meshkit.push.exposition import Labels
from meshkit.push.page import Page

GROUP_GONE: Final = ("DELETE", 404)
"""A group that is to go, and is not there."""
# A clock that was set back by less than this has not the trust of receivers that want times to rise.
_SMALL_STEP_MS: Final = 60_000
_TEXT: Final = {"Content-Type": CONTENT_TYPE}
# Labels that say whose the page is, and that no page gives a meaning of its own.
_OF_THE_PUSH: Final = frozenset({"job", "instance", TTL_LABEL})

_Key: TypeAlias = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Request:
    """Hold one request; `compressible` tells whether its body may be sent with gzip."""

    method: str
    url: str
    body: bytes = b""
    query: Sequence[tuple[str, str]] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    compressible: bool = False

    @property
    def address(self) -> URL:
        """Return the address as it is: what is escaped in a path stays so."""
        return URL(self.url, encoded=True)


class Requests:
    """
    Make requests of pages.

    Kept are the groups and the series that the receiver was given, so that they can be taken back.
    """

    def __init__(self, config: PushConfig) -> None:
        self._config = config
        self._query = () if config.ttl is None else ((TTL_LABEL, config.ttl),)
        self._groups: dict[_Key, str] = {}
        self._in_lines: dict[_Key, frozenset[str]] = {}
        self._series: dict[_Key, frozenset[Labels]] = {}
        self._next_series: dict[_Key, frozenset[Labels]] = {}
        self._last_ms = 0

    def moment(self, now_ms: int) -> int:
        """Return the time of a push: now, but after the one before, as receivers take no second value of one time."""
        later_ms = self._last_ms + 1
        self._last_ms = later_ms if 0 < later_ms - now_ms < _SMALL_STEP_MS else now_ms
        return self._last_ms

    def of(self, page: Page, time_ms: int) -> list[Request]:
        """Return what to send for a page, in this order."""
        match self._config.kind:
            case "pushgateway":
                return list(self._group_requests(page))
            case "remoteWrite":
                return list(self._write_requests(page, time_ms))
            case "victoriaMetrics":
                return list(self._import_requests(page, time_ms))
            case _:
                return list(self._text_requests(page, self._labels(page), ()))

    def taken(self, page: Page) -> None:
        """Remember that the receiver has what was sent for a page."""
        if (written := self._next_series.pop(page.key, None)) is not None:
            self._series[page.key] = written
        if page.text is None:
            self._groups.pop(page.key, None)
            self._series.pop(page.key, None)
        elif self._config.kind == "pushgateway":
            self._groups[page.key] = self.group(page).url

    def probe(self) -> Request:
        """Return a request in the form of a push that changes nothing at the receiver, to see whether it lets us in."""
        match self._config.kind:
            case "pushgateway":
                return Request("GET", grouping_path.api(self._config.url, "/api/v1/status"))
            case "remoteWrite":
                return self._write(remote_write.NOTHING)
            case _:
                return Request("POST", self._config.url, b"", (), _TEXT)

    def take_back(self, now_ms: int) -> Iterator[Request]:
        """Yield what makes the receiver forget all that it was given, where it can."""
        for url in self._groups.values():
            yield Request("DELETE", url)
        time_ms = self.moment(now_ms)
        for given in self._series.values():
            for body in remote_write.bodies((), given, time_ms):
                yield self._write(body)
        self._groups.clear()
        self._series.clear()

    def group(self, page: Page) -> grouping_path.Group:
        """Return a page's group at a Pushgateway, which sets the group's labels on all samples of the page."""
        in_lines = self._in_lines.get(page.key, frozenset())
        labels = {name: value for name, value in self._labels(page).items() if name not in in_lines}
        return grouping_path.group(self._config.url, labels)

    def _labels(self, page: Page) -> dict[str, str]:
        return {**self._config.labels, **page.labels}

    def _group_requests(self, page: Page) -> Iterator[Request]:
        before = self._groups.get(page.key)
        if page.text is None:
            if before is not None:
                yield Request("DELETE", before)
            return
        # Where samples have a label of this name themselves, the gateway would put ours in its place.
        own = frozenset(
            name
            for name in self._labels(page).keys() - _OF_THE_PUSH
            if any(start + name.encode() + b"=" in page.text for start in (b"{", b","))
        )
        self._in_lines[page.key] = own | self._in_lines.get(page.key, frozenset())
        url = self.group(page).url
        if before not in (None, url):
            yield Request("DELETE", str(before))
        in_lines = {name: self._labels(page)[name] for name in sorted(self._in_lines[page.key])}
        body = exposition.labelled(page.text, in_lines)
        yield Request("PUT", url, body, self._query, _TEXT, compressible=True)

    def _import_requests(self, page: Page, time_ms: int) -> Iterator[Request]:
        labels = self._labels(page)
        # One time for all parts, and for a part that is sent again.
        query = [("timestamp", str(time_ms))]
        if page.text is not None and not exposition.may_have(page.text, labels):
            # It sets these on every sample, whatever that has itself; where none has them it saves us to write them.
            query += [("extra_label", f"{name}={value}") for name, value in labels.items()]
            labels = {}
        yield from self._text_requests(page, labels, query)

    def _text_requests(
        self, page: Page, labels: Mapping[str, str], query: Sequence[tuple[str, str]]
    ) -> Iterator[Request]:
        if page.text is None:
            return
        body = exposition.labelled(page.text, labels)
        for part in exposition.parts(body, self._config.batch_size):
            yield Request(self._config.method, self._config.url, part, (*self._query, *query), _TEXT, compressible=True)

    def _write_requests(self, page: Page, time_ms: int) -> Iterator[Request]:
        series = list(exposition.series(page.text or b"", self._labels(page)))
        now = frozenset(each.labels for each in series)
        gone = self._series.get(page.key, frozenset()) - now
        self._next_series[page.key] = now
        for body in remote_write.bodies(series, sorted(gone), time_ms):
            yield self._write(body)

    def _write(self, body: bytes) -> Request:
        return Request("POST", self._config.url, body, self._query, remote_write.HEADERS)

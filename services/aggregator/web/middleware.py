"""What every request goes through: errors become their answers, and requests are counted."""

from http import HTTPStatus

import orjson
from aiohttp import web
from aiohttp.typedefs import Handler

from meshkit.clock import Clock
from meshkit.errors import MeshError, RateLimited
from meshkit.log import get_logger
from meshkit.metrics import Distribution, Registry
from services.aggregator.metrics import SECONDS
from services.aggregator.web import quote_json

_log = get_logger(__name__)

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class RequestMetrics:
    """Count answered requests, and those that are being answered."""

    def __init__(self, metrics: Registry) -> None:
        # Routes, methods and statuses are few. The quick way counts tens of thousands in a second.
        self._series: dict[tuple[str, str, int], Distribution] = {}
        self.in_flight = 0
        metrics.before_render(lambda: metrics.gauge("http_requests_in_flight").set(self.in_flight))
        metrics.derive("http_requests_total", lambda: [(labels, sum(each.counts)) for labels, each in self._samples()])
        metrics.derive("http_request_duration_seconds", self._samples)

    def count(self, route: str, method: str, status: int, seconds: float) -> None:
        """Count an answered request, which took so long."""
        self.series(route, method, status).observe(seconds)

    def series(self, route: str, method: str, status: int) -> Distribution:
        """Return where the requests of a route are counted that were answered with a status, by their seconds."""
        # A method is any word a caller likes; each would be a series.
        key = route, method if method in METHODS else "other", status
        series = self._series.get(key)
        if series is None:
            series = self._series[key] = Distribution.of(SECONDS)
        return series

    def _samples(self) -> list[tuple[tuple[str, ...], Distribution]]:
        return [((route, method, str(status)), series) for (route, method, status), series in self._series.items()]


class Middleware:
    """Answer for handlers that raise, and count."""

    def __init__(self, metrics: RequestMetrics, clock: Clock) -> None:
        self._metrics = metrics
        self._clock = clock

    @web.middleware
    async def handle(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Return the handler's answer, or that of the error which it raises."""
        started_at = self._clock.monotonic()
        status = 500
        self._metrics.in_flight += 1
        try:
            response = await handler(request)
            status = response.status
            return response
        except MeshError as error:
            status = error.http_status
            return self._failed(status, error.reason, str(error), error)
        except web.HTTPException as error:
            status = error.status
            response = self._failed(status, HTTPStatus(status).name, error.reason)
            if isinstance(error, web.HTTPMethodNotAllowed):
                response.headers["Allow"] = error.headers["Allow"]
            return response
        except Exception:
            _log.exception("request_crashed", method=request.method, path=request.path)
            return self._failed(status, "INTERNAL", "internal error; the service's log has the traceback")
        finally:
            self._metrics.in_flight -= 1
            resource = request.match_info.route.resource
            route = "unknown" if resource is None else resource.canonical
            self._metrics.count(route, request.method, status, self._clock.monotonic() - started_at)

    def _failed(self, status: int, name: str, message: str, error: MeshError | None = None) -> web.Response:
        metadata = {} if error is None else error.metadata
        body = orjson.dumps(quote_json.error(status, name, message, self._clock.time_ms(), metadata))
        response = web.Response(body=body, status=status, content_type="application/json")
        if isinstance(error, RateLimited):
            response.headers["Retry-After"] = retry_after_text(error)
        return response


def retry_after_text(error: RateLimited) -> str:
    """Return the header's value: whole seconds, rounded up."""
    return str(-(-error.retry_after_ms // 1000))

"""What a stream takes from the configuration, and whether there is to be one."""

from dataclasses import dataclass, field

from meshkit.configuration.aggregator import Source


@dataclass(frozen=True, slots=True)
class StreamConfig:
    """
    Configure one source's stream.

    Attributes:
        ws_url: Its address; None for the source's own.
        base_url: The address of the source's REST API, which may hand out tokens; None for the source's own.
        api_key: The source's key, if there is one.
        proxy: The HTTP proxy to go through, if any.
        batch_size: How many pairs one message may name, at most what the provider allows.
        rate_limit_ms: The time between two messages, at least what the provider asks for.
        heartbeat_interval_ms: How often to ping where the client pings, at least as often as the provider asks for.
        reconnect_interval_ms: How long to wait before the first reconnect; None for the provider's own least time.
        auto_reconnect: False to leave everything to REST after the first disconnect.
    """

    ws_url: str | None = None
    base_url: str | None = None
    api_key: str | None = field(default=None, repr=False)
    proxy: str | None = field(default=None, repr=False)
    batch_size: int | None = None
    rate_limit_ms: int | None = None
    heartbeat_interval_ms: int | None = None
    reconnect_interval_ms: int | None = None
    auto_reconnect: bool = True


def read_stream(given: Source, proxy: str | None) -> StreamConfig | None:
    """
    Return the stream's settings; None where there is to be no stream.

    A source whose `baseUrl` is set and which has no `stream` section has none: its REST API is not the provider's
    public one (a simulator, a mirror), so the provider's public stream would be another market, or out of reach.
    """
    stream, present = given.stream, given.model_fields_set
    if not given.enabled or (given.base_url is not None and "stream" not in present):
        return None
    chosen = stream.model_fields_set
    return StreamConfig(
        ws_url=stream.ws_url,
        base_url=given.base_url,
        # Keys are pasted with line ends.
        api_key=None if given.api_key is None else given.api_key.get_secret_value().strip() or None,
        proxy=(proxy if given.use_proxy else None) if isinstance(given.use_proxy, bool) else given.use_proxy,
        batch_size=stream.batch_size,
        rate_limit_ms=stream.rate_limit,
        heartbeat_interval_ms=stream.heartbeat_interval if "heartbeat_interval" in chosen else None,
        reconnect_interval_ms=stream.reconnect_interval if "reconnect_interval" in chosen else None,
        auto_reconnect=stream.auto_reconnect,
    )

"""Which hosts the aggregator may connect to."""

from collections.abc import Mapping

from meshkit.configuration.solution import Configuration
from meshkit.egress.hosts import hosts_of
from services.aggregator.sources.catalog import DECLARATIONS
from services.aggregator.sources.settings import SourceConfig
from services.aggregator.streams.catalog import DIALECTS
from services.aggregator.streams.dial import address
from services.aggregator.streams.settings import StreamConfig


def allowed_hosts(
    configuration: Configuration, sources: Mapping[str, SourceConfig], streams: Mapping[str, StreamConfig]
) -> frozenset[str]:
    """
    Return the hosts of `solution.mesh.egress`, else those of the sources that are on, of their streams and proxies.

    `*.domain` stands for all hosts below a domain, for streams whose address the provider gives out.
    """
    given = configuration.solution.mesh.egress
    if given is not None:
        return frozenset(given)
    aggregator = configuration.solution.price_aggregator_config
    figures = aggregator.market_data.coingecko_global.enabled
    asked = {name for name, source in sources.items() if source.enabled or (figures and name == "coingecko")}
    rest = [url for name in asked for url in _rest(name, sources[name])]
    proxies = [sources[name].proxy for name in asked] + [aggregator.proxy]
    return hosts_of([*rest, *proxies]).union(*(_stream_hosts(name, stream) for name, stream in streams.items()))


def _rest(name: str, source: SourceConfig) -> tuple[str, ...]:
    """Return where a source may be asked: at the given address, else at any of the provider's own."""
    if source.base_url is not None:
        return (source.base_url,)
    return (DECLARATIONS[name].base_url, *DECLARATIONS[name].hosts)


def _stream_hosts(name: str, stream: StreamConfig) -> frozenset[str]:
    dialect = DIALECTS.get(name)
    if dialect is None:
        return frozenset()
    named = hosts_of([address(dialect.RULES, stream.ws_url, stream.base_url), stream.proxy])
    if not dialect.RULES.token_path or stream.ws_url is not None:
        return named
    # The token comes with the host to use it at.
    return named | {f"*.{host.split('.', 1)[1]}" for host in named if host.count(".") > 1}

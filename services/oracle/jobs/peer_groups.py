"""The peer-to-peer groups of configurations: who is in them, and who knows where the others are."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace

from services.oracle.ocr.config import PublicConfig
from services.oracle.ocr.running.limits import peer_limits
from services.oracle.p2p.endpoint import OcrEndpoint
from services.oracle.p2p.host import Host
from services.oracle.settings import P2pSettings


class PeerGroups:
    """Join groups with the node's host."""

    def __init__(self, host: Host, settings: P2pSettings) -> None:
        self._host = host
        self._default_bootstrappers = settings.v2.default_bootstrappers
        self._buffered = settings.incoming_message_buffer_size

    @property
    def peer_id(self) -> str:
        """Return the node's own peer id."""
        return self._host.peer_id

    def bootstrappers(self, locators: Sequence[str]) -> dict[str, list[str]]:
        """Return addresses by peer id of a job's locators, or of config.toml's if it has none; oneself is left out."""
        found: dict[str, list[str]] = {}
        for locator in locators or self._default_bootstrappers:
            peer_id, _, places = locator.partition("@")
            if peer_id != self._host.peer_id:
                found.setdefault(peer_id, []).extend(places.split("/"))
        return found

    @contextmanager
    def joined(self, public: PublicConfig, bootstrappers: Mapping[str, Sequence[str]]) -> Iterator[OcrEndpoint | None]:
        """Give the way to the other oracles of a configuration, None if the node is none of them; then leave."""
        limits = replace(peer_limits(public.offchain), buffered=self._buffered)
        endpoint = self._host.register_group(public.config_digest, public.offchain.peer_ids, bootstrappers, limits)
        try:
            yield endpoint
        finally:
            self._host.unregister_group(public.config_digest)

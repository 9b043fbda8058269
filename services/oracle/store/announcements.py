"""The addresses of the peers as they announced them, so that a node finds them again without a bootstrap node."""

from collections.abc import Iterable
from decimal import Decimal

from google.protobuf.message import DecodeError

from feedmesh.ocr.v1 import discovery_pb2 as pb
from meshkit import log
from services.oracle.p2p.discovery.announcement import Announcement
from services.oracle.p2p.errors import AnnouncementRefused
from services.oracle.store.database import Database

_log = log.get_logger(__name__)


class AnnouncementStore:
    """Keep the newest announcement of each peer; `flush` writes those that are new."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._changed: dict[bytes, Announcement] = {}

    async def load(self) -> list[Announcement]:
        """Return what earlier runs wrote; one that does not verify any more is left out."""
        found = []
        for row in await self._database.fetch("SELECT message FROM announcements"):
            try:
                found.append(Announcement.from_proto(pb.SignedAnnouncement.FromString(row["message"])))
            except (AnnouncementRefused, DecodeError) as error:
                _log.warning("announcement_refused", error=str(error))
        return found

    def note(self, announcements: Iterable[Announcement]) -> None:
        """Remember announcements for the next flush."""
        self._changed |= {announcement.public_key: announcement for announcement in announcements}

    async def flush(self) -> None:
        """Write what is new since the last flush; an older announcement never replaces a newer one."""
        changed, self._changed = self._changed, {}
        if changed:
            await self._database.execute_many(
                "INSERT INTO announcements AS held VALUES ($1, $2, $3) ON CONFLICT (public_key)"
                " DO UPDATE SET counter = $2, message = $3 WHERE held.counter < $2",
                [(a.public_key, Decimal(a.counter), a.to_proto().SerializeToString()) for a in changed.values()],
            )

"""The address book: whose addresses are known, who may hear of them, and when the own announcement must be renewed."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from services.oracle.p2p.address import Address
from services.oracle.p2p.discovery.announcement import MAX_COUNTER, Announcement, decode_discovery, encode_reconcile
from services.oracle.p2p.errors import AnnouncementRefused
from services.oracle.p2p.identity import PeerKey


@dataclass(frozen=True, slots=True)
class Group:
    """Hold the members of one configuration: oracles by public key, bootstrappers with their configured addresses."""

    oracles: frozenset[bytes]
    bootstrappers: Mapping[bytes, Sequence[Address]]

    @property
    def members(self) -> frozenset[bytes]:
        """Return all keys."""
        return self.oracles | self.bootstrappers.keys()


@dataclass(frozen=True, slots=True)
class Learned:
    """Tell what a discovery message brought: accepted announcements, reasons of refused ones, own renewal."""

    accepted: tuple[Announcement, ...]
    refused: tuple[str, ...]
    renewed: bool


class AddressBook:
    """Keep the newest announcement of each oracle of the running groups; pure, no network and no clock."""

    def __init__(self, key: PeerKey, own_addresses: Sequence[Address], known: Iterable[Announcement] = ()) -> None:
        self._key = key
        self._own_addresses = tuple(own_addresses)
        self._groups: dict[bytes, Group] = {}
        self._announcements: dict[bytes, Announcement] = {}
        self._counter = 0
        # What an earlier run saved; shown and used only once a group has its owner.
        for announcement in known:
            if announcement.public_key == key.public_key:
                self._counter = max(
                    self._counter, announcement.counter + (announcement.addresses != self._own_addresses)
                )
            else:
                self._announcements[announcement.public_key] = announcement
        self._announce()

    @property
    def counter(self) -> int:
        """Return the counter of the own announcement."""
        return self._counter

    def add_group(self, digest: bytes, group: Group) -> None:
        """Take a configuration's members in."""
        self._groups[digest] = group

    def remove_group(self, digest: bytes) -> None:
        """Forget a configuration, and the announcements only it needed."""
        self._groups.pop(digest, None)
        oracles = self._oracles()
        for public_key in [k for k in self._announcements if k not in oracles and k != self._key.public_key]:
            del self._announcements[public_key]

    def peers(self) -> set[bytes]:
        """Return all members of all groups but oneself."""
        members: set[bytes] = set()
        for group in self._groups.values():
            members |= group.members
        return members - {self._key.public_key}

    def addresses(self, peer: bytes) -> list[Address]:
        """Return where to dial a peer: configured addresses first, announced ones after."""
        found = [a for group in self._groups.values() for a in group.bootstrappers.get(peer, ())]
        announcement = self._announcements.get(peer)
        return list(dict.fromkeys([*found, *(announcement.addresses if announcement else ())]))

    def dials_first(self, peer: bytes) -> bool:
        """
        Tell whether it is this end that dials a peer; the other waits a while for it.

        Of an oracle and a bootstrapper it is the oracle, since a bootstrapper's address is configured; else the end
        with the smaller key. Two that dial each other at once would each keep another connection.
        """
        own_serves = any(self._key.public_key in group.bootstrappers for group in self._groups.values())
        theirs_serves = any(peer in group.bootstrappers for group in self._groups.values())
        return theirs_serves if own_serves != theirs_serves else self._key.public_key < peer

    def message_for(self, peer: bytes) -> bytes | None:
        """
        Return the discovery message with everything a peer may see; None when there is nothing.

        Its own announcement is part of it: a node that lost its counter learns it so.
        """
        visible: set[bytes] = set()
        for group in self._groups.values():
            if peer in group.members:
                visible |= group.oracles
        announcements = [self._announcements[k] for k in sorted(visible) if k in self._announcements]
        return encode_reconcile(announcements) if announcements else None

    def learn(self, payload: bytes) -> Learned:
        """
        Take a discovery message in.

        Raises:
            AnnouncementRefused: when the bytes are no discovery message; single bad announcements are only told.
        """
        accepted: list[Announcement] = []
        refused: list[str] = []
        renewed = False
        oracles = self._oracles()
        for message in decode_discovery(payload):
            known = self._announcements.get(message.public_key)
            own = message.public_key == self._key.public_key
            if message.public_key not in oracles:
                refused.append("an announcement of no oracle of any group")
                continue
            # Verifying is dear, and most of what comes in is old news.
            if known is not None and (
                message.counter < known.counter or (not own and message.counter == known.counter)
            ):
                continue
            try:
                announcement = Announcement.from_proto(message)
            except AnnouncementRefused as error:
                refused.append(str(error))
                continue
            if not own:
                self._announcements[announcement.public_key] = announcement
                accepted.append(announcement)
            elif announcement.addresses != self._own_addresses and announcement.counter < MAX_COUNTER:
                # An earlier life of this node said so with a higher counter; only a higher one yet is believed.
                self._counter = announcement.counter + 1
                self._announce()
                renewed = True
        return Learned(tuple(accepted), tuple(refused), renewed)

    def _announce(self) -> None:
        if self._own_addresses:
            own = Announcement.sign(self._key, self._own_addresses, self._counter)
            self._announcements[self._key.public_key] = own

    def _oracles(self) -> set[bytes]:
        oracles: set[bytes] = set()
        for group in self._groups.values():
            oracles |= group.oracles
        return oracles

"""What other implementations computed, this one computes too."""

import json
from pathlib import Path
from typing import Any

from chainlink.keys.peer_id import decode_peer_id
from services.oracle.p2p.address import Address
from services.oracle.p2p.discovery.announcement import Announcement, announcement_digest
from services.oracle.p2p.endpoint import stream_name
from services.oracle.p2p.identity import PeerKey
from services.oracle.p2p.transport.frames import stream_id
from services.oracle.p2p.transport.knock import make_knock

VECTORS: dict[str, Any] = json.loads((Path(__file__).parents[2] / "vectors/ocr/network.json").read_text())
KEY = PeerKey.from_bytes(bytes.fromhex(VECTORS["peer"]["seed"]))


def test_peer_id() -> None:
    """A seed's public key and peer id are the known ones, and the id leads back to the key."""
    public_key = bytes.fromhex(VECTORS["peer"]["public_key"])

    assert public_key == KEY.public_key
    assert VECTORS["peer"]["peer_id"] == KEY.peer_id
    assert public_key == decode_peer_id(KEY.peer_id)
    assert public_key == decode_peer_id(f"p2p_{KEY.peer_id}")


def test_knock() -> None:
    """A knock is its version, the key and the known signature."""
    knock = make_knock(KEY, bytes.fromhex(VECTORS["knock"]["listener"]))

    assert f"02{VECTORS['peer']['public_key']}{VECTORS['knock']['signature']}" == knock.hex()


def test_stream_id() -> None:
    """The name and id of a configuration's stream are the known ones, seen from both ends."""
    listener = bytes.fromhex(VECTORS["knock"]["listener"])
    name = stream_name(bytes.fromhex(VECTORS["stream"]["config_digest"]))

    assert VECTORS["stream"]["name"] == name
    assert VECTORS["stream"]["id"] == stream_id(KEY.public_key, listener, name).hex()
    assert VECTORS["stream"]["id"] == stream_id(listener, KEY.public_key, name).hex()


def test_announcement() -> None:
    """An announcement's digest and signature are the known ones, and it verifies."""
    vector = VECTORS["announcement"]
    addresses = [Address.parse(text) for text in vector["addresses"]]
    announcement = Announcement.sign(KEY, addresses, vector["counter"])

    assert vector["digest"] == announcement_digest(addresses, vector["counter"]).hex()
    assert vector["signature"] == announcement.signature.hex()
    assert announcement == Announcement.from_proto(announcement.to_proto())

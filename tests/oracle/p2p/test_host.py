"""Real hosts on real sockets."""

import asyncio

import pytest

from services.oracle.p2p.errors import MalformedInput
from services.oracle.p2p.host import Host
from services.oracle.p2p.identity import PeerKey
from services.oracle.p2p.transport.frames import Frame, FrameType, stream_id
from services.oracle.p2p.transport.knock import make_knock
from services.oracle.p2p.transport.tls import TlsStream, close_socket, make_context
from tests.oracle.ocr.committee import secret_of
from tests.oracle.p2p.mesh import BOOTSTRAP_KEY, DIGEST, LIMITS, join, make_host, running
from tests.waiting import until

KEYS = [PeerKey.from_bytes(secret_of("peer", i)) for i in range(4)]


async def test_four_oracles_meet_through_a_bootstrapper() -> None:
    """Oracles that know only the bootstrapper find each other and exchange messages, which it never sees."""
    bootstrap = make_host(BOOTSTRAP_KEY)
    hosts = [make_host(key) for key in KEYS]
    async with running(bootstrap, *hosts):
        located = {bootstrap.peer_id: bootstrap.addresses}
        assert bootstrap.register_group(DIGEST, [key.peer_id for key in KEYS], located, LIMITS) is None
        endpoints = [join(host, KEYS, bootstrap) for host in hosts]
        await until(lambda: all(len(endpoint.connected) == 3 for endpoint in endpoints))

        for index, endpoint in enumerate(endpoints):
            endpoint.broadcast(b"hello from %d" % index)
        endpoints[0].send(2, b"only for you")
        got: dict[int, set[tuple[int, bytes]]] = {index: set() for index in range(4)}
        async with asyncio.timeout(10):
            for index, endpoint in enumerate(endpoints):
                for _ in range(4 if index == 2 else 3):
                    got[index].add(await endpoint.receive())

    expected = {i: {(j, b"hello from %d" % j) for j in range(4) if j != i} for i in range(4)}
    expected[2].add((0, b"only for you"))
    assert expected == got


async def test_reconnect_after_restart() -> None:
    """A host that comes back at the same place with the same key is connected again by itself."""
    bootstrap, first, second = make_host(BOOTSTRAP_KEY), make_host(KEYS[0]), make_host(KEYS[1])
    pair = KEYS[:2]
    async with running(bootstrap, first):
        bootstrap.register_group(
            DIGEST, [key.peer_id for key in pair], {bootstrap.peer_id: bootstrap.addresses}, LIMITS
        )
        endpoint = join(first, pair, bootstrap)
        async with running(second):
            join(second, pair, bootstrap)
            await until(lambda: endpoint.connected == (1,))
            place = second.addresses[0]
        await until(lambda: endpoint.connected == ())
        again = make_host(KEYS[1], place)
        async with running(again):
            other = join(again, pair, bootstrap)
            await until(lambda: endpoint.connected == (1,))
            endpoint.send(1, b"back")
            async with asyncio.timeout(10):
                assert (0, b"back") == await other.receive()


async def test_next_configuration() -> None:
    """Hosts that leave one configuration's group for the next one's find each other again."""
    bootstrap, hosts = make_host(BOOTSTRAP_KEY), [make_host(key) for key in KEYS[:2]]
    peer_ids, following = [key.peer_id for key in KEYS[:2]], bytes([7]) * 16
    async with running(bootstrap, *hosts):
        located = {bootstrap.peer_id: bootstrap.addresses}
        bootstrap.register_group(DIGEST, peer_ids, located, LIMITS)
        endpoints = [join(host, KEYS[:2], bootstrap) for host in hosts]
        await until(lambda: endpoints[0].connected == (1,))
        for host in (bootstrap, *hosts):
            host.unregister_group(DIGEST)
        for host in (bootstrap, *hosts):
            host.register_group(following, peer_ids, located, LIMITS)
        again = [host.endpoint(following) for host in hosts]
        await until(lambda: [e.connected for e in again if e] == [(1,), (0,)])
        assert again[0] is not None
        assert again[1] is not None
        again[0].send(1, b"next")
        async with asyncio.timeout(10):
            assert (0, b"next") == await again[1].receive()


async def test_unregistered_group_disconnects() -> None:
    """A host that leaves its only group disconnects from the members, and may join again."""
    bootstrap, host = make_host(BOOTSTRAP_KEY), make_host(KEYS[0])
    async with running(bootstrap, host):
        bootstrap.register_group(DIGEST, [KEYS[0].peer_id], {}, LIMITS)
        join(host, KEYS[:1], bootstrap)
        with pytest.raises(MalformedInput, match="not registered"):
            join(host, KEYS[:1], bootstrap)
        await until(lambda: bootstrap.counters["connections"] == 1)
        host.unregister_group(DIGEST)
        join(host, KEYS[:1], bootstrap)
        await until(lambda: bootstrap.counters["connections"] == 2)


async def test_strangers_and_noise_are_refused() -> None:
    """Who is in no group, knocks wrongly or does not speak TLS is closed and counted; the host goes on."""
    host = make_host(KEYS[0])
    async with running(host):
        host.register_group(DIGEST, [KEYS[0].peer_id, KEYS[1].peer_id], {}, LIMITS)
        place, _, port = host.addresses[0].rpartition(":")
        for opening in (
            make_knock(KEYS[2], KEYS[0].public_key),
            make_knock(KEYS[1], KEYS[2].public_key),
            bytes(97),
            b"GET / HTTP/1.1\r\n\r\n" * 9,
        ):
            reader, writer = await asyncio.open_connection(place, int(port))
            writer.write(opening)
            assert b"" == await reader.read()
            await close_socket(writer)
        assert 4 == host.counters["accepts_refused"]

        reader, writer = await asyncio.open_connection(place, int(port))
        writer.write(make_knock(KEYS[1], KEYS[0].public_key) + bytes(200))
        await reader.read()
        await close_socket(writer)
        await until(lambda: host.counters["handshakes_failed"] == 1)


async def test_replayed_knock_does_not_authenticate() -> None:
    """A knock copied from a peer gets a stranger no further than TLS."""
    host = make_host(KEYS[0])
    async with running(host):
        host.register_group(DIGEST, [KEYS[0].peer_id, KEYS[1].peer_id], {}, LIMITS)
        place, _, port = host.addresses[0].rpartition(":")
        reader, writer = await asyncio.open_connection(place, int(port))
        writer.write(make_knock(KEYS[1], KEYS[0].public_key))
        tls = TlsStream(make_context(KEYS[2]), reader, writer, server=False)
        await tls.handshake(KEYS[0].public_key)
        await until(lambda: host.counters["handshakes_failed"] == 1)
        await tls.close()

        assert 0 == host.counters["connections"]


async def test_malformed_frames_close_only_their_connection() -> None:
    """Frames that break the rules close the connection they came through, and the peer may come back."""
    host = make_host(KEYS[0])
    async with running(host):
        endpoint = host.register_group(DIGEST, [KEYS[0].peer_id, KEYS[1].peer_id], {}, LIMITS)
        assert endpoint is not None
        for broken in (
            bytes(37),
            b"\x02" + bytes(32) + b"\0\0\0\1\0",
            Frame(FrameType.OPEN, bytes(32), b"a name of another id").encode(),
        ):
            tls = await _connect(host, KEYS[1])
            await until(lambda: endpoint.connected == (1,))
            await tls.write(broken)
            await until(lambda: endpoint.connected == ())
            await tls.close()

        tls = await _connect(host, KEYS[1])
        await tls.write(_data(KEYS[1], KEYS[0], "nobody's stream", bytes(50_000)))
        await tls.write(_data(KEYS[1], KEYS[0], _ocr_name(), b"still here"))
        async with asyncio.timeout(10):
            assert (1, b"still here") == await endpoint.receive()
        assert 1 == host.counters["data_of_unknown_stream"]
        await tls.close()


async def test_full_buffer_keeps_the_newest() -> None:
    """A peer that is not connected costs ten messages of memory; it gets the newest ones when it comes."""
    host = make_host(KEYS[0])
    async with running(host):
        endpoint = host.register_group(DIGEST, [KEYS[0].peer_id, KEYS[1].peer_id], {}, LIMITS)
        assert endpoint is not None
        for number in range(25):
            endpoint.send(1, b"%d" % number)
        other = make_host(KEYS[1])
        async with running(other):
            located = {host.peer_id: host.addresses}
            received = other.register_group(DIGEST, [KEYS[0].peer_id, KEYS[1].peer_id], located, LIMITS)
            assert received is not None
            async with asyncio.timeout(10):
                got = [await received.receive() for _ in range(10)]

        assert [(0, b"%d" % number) for number in range(15, 25)] == got
        assert 15 == host.counters["outgoing_dropped"]


async def test_announce_addresses_must_be_dialable() -> None:
    """Names and wildcards cannot be announced."""
    for text in ("localhost:1", "0.0.0.0:1", "127.0.0.1"):
        with pytest.raises(MalformedInput):
            Host(KEYS[0], listen=["127.0.0.1:0"], announce=[text])


def _ocr_name() -> str:
    return f"ocr/eeee{DIGEST.hex()}{'00' * 14}"


def _data(sender: PeerKey, receiver: PeerKey, name: str, payload: bytes) -> bytes:
    return Frame(FrameType.DATA, stream_id(sender.public_key, receiver.public_key, name), payload).encode()


async def _connect(host: Host, key: PeerKey) -> TlsStream:
    place, _, port = host.addresses[0].rpartition(":")
    reader, writer = await asyncio.open_connection(place, int(port))
    writer.write(make_knock(key, KEYS[0].public_key))
    tls = TlsStream(make_context(key), reader, writer, server=False)
    await tls.handshake(KEYS[0].public_key)
    return tls


async def test_each_pair_has_one_connection() -> None:
    """However many meet at once, each pair makes one connection, which none of its ends replaces."""
    keys = [PeerKey.from_bytes(secret_of("peer", i)) for i in range(9)]
    bootstrap = make_host(BOOTSTRAP_KEY)
    hosts = [make_host(key) for key in keys]
    async with running(bootstrap, *hosts):
        located = {bootstrap.peer_id: bootstrap.addresses}
        bootstrap.register_group(DIGEST, [key.peer_id for key in keys], located, LIMITS)
        for host in hosts:
            join(host, keys, bootstrap)
        everybody = [bootstrap, *hosts]
        await until(lambda: all(len(host.connected_peers) == len(keys) for host in everybody))

        assert [len(keys)] * len(everybody) == [host.counters["connections"] for host in everybody]

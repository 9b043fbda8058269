"""Where the meshes of tests listen, so that none takes another's ports."""

from tests.mesh.running import BASE_PORTS, PORT_OFFSETS, free_port_offset


def test_no_two_meshes_share_a_port() -> None:
    """Whatever two offsets are taken, no port of one mesh is any port of the other."""
    ports = [port + offset for offset in PORT_OFFSETS for port in BASE_PORTS]

    assert len(ports) == len(set(ports))
    assert max(ports) < 32_768


def test_an_offset_is_given_once() -> None:
    """Nobody is given an offset whose mesh has yet to bind its ports."""
    assert free_port_offset() != free_port_offset()

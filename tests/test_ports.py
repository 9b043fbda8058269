import socket
import subprocess
import sys

from tests.ports import BLOCKS, HOST, free_base, free_port, is_free, is_ours


def test_no_port_is_given_twice() -> None:
    """Hundreds of ports are all different, and none may be an outgoing connection's."""
    ports = [free_port() for _ in range(300)]
    base = free_base(9)
    assert 309 == len({*ports, *range(base + 1, base + 10)})
    assert all(BLOCKS[0].start <= port < BLOCKS[-1].stop for port in (*ports, base + 9))


def test_another_process_is_given_others() -> None:
    """Two processes take their ports from different blocks."""
    script = "from tests.ports import free_port; print(free_port())"
    other = int(subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout)
    ours = next(block for block in BLOCKS if free_port() in block)
    assert other not in ours


def test_a_port_that_somebody_listens_on_is_left_out() -> None:
    """A server that holds the next port is passed over."""
    port = free_port()
    with socket.create_server((HOST, port + 1)):
        assert not is_free(port + 1)
        assert port + 1 != free_port()


def test_a_name_is_taken_once() -> None:
    """What one has taken no other can take, not even the same process."""
    name = f"name-{free_port()}"
    assert (True, False) == (is_ours(name), is_ours(name))

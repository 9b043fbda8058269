"""Reading heads: what is read is what was written, and whatever is in doubt is not read."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.aggregator.web.quick.request_head import LONGEST_LINE_BYTES, MOST_HEADERS, Head, read_head

NAMES = st.text("abYZ09-", min_size=1, max_size=8).map("X{}".format)
VALUES = st.text(' ~:"aZ0\t', max_size=8)


def head(*lines: str, start: str = "POST /a HTTP/1.1") -> bytes:
    """Return the bytes of a head."""
    return "".join(f"{line}\r\n" for line in (start, *lines, "")).encode("latin-1")


@given(
    st.dictionaries(NAMES, VALUES, max_size=5),
    st.integers(0, 99_999),
    st.sampled_from(["Content-Length", "CONTENT-length"]),
)
def test_a_plain_head_is_read(headers: dict[str, str], length: int, name: str) -> None:
    """Method, target and length are those that stand there, whatever other headers there are."""
    lines = list({key.lower(): f"{key}: {value}" for key, value in headers.items()}.values())

    assert Head("POST", "/a", length) == read_head(head("Host: a", *lines, f"{name}: {length}"))
    assert Head("GET", "/a?b", None) == read_head(head("host:a", *lines, start="GET /a?b HTTP/1.1"))


@pytest.mark.parametrize(
    "lines",
    [
        ["Host: a"],
        ["Content-Length: 5"],
        ["Host: a", "Content-Length: 5", "content-length: 5"],
        ["Host: a", "Content-Length: 5", "X: 1", "x: 1"],
        ["Host: a", "host: a", "Content-Length: 5"],
        *(
            ["Host: a", f"Content-Length:{length}"]
            for length in ("05", " 05", "+5", "-5", "5 ", "  5", "", "5,5", "0x5")
        ),
        ["Host: a", "Content-Length: 100000"],
        *(
            ["Host: a", "Content-Length: 5", f"{name}: x"]
            for name in (
                "Transfer-Encoding",
                "content-ENCODING",
                "Connection",
                "Expect",
                "Upgrade",
                "Range",
                "If-Match",
            )
        ),
        ["Host: a", "Content-Length: 5", " folded"],
        ["Host: a", "Content-Length : 5"],
        ["Host: a", "Content-Length: 5", "X: \x00"],
        ["Host: a", "Content-Length: 5", "X: \xe9"],
        ["Host: a", "Content-Length: 5", "X_Y: 1"],
        ["Host: a", "Content-Length: 5", "X: " + "y" * LONGEST_LINE_BYTES],
        ["Host: a", "Content-Length: 5", *(f"X-{number}: 1" for number in range(MOST_HEADERS))],
    ],
)
def test_a_head_with_a_doubt_is_not_read(lines: list[str]) -> None:
    """Framing that is not one plain length, headers twice, conditions, odd bytes and sizes are for aiohttp."""
    assert read_head(head(*lines)) is None


@pytest.mark.parametrize(
    "start",
    [
        *(f"POST {target} HTTP/1.1" for target in ("a", "http://a/", "*", "/a b", "/\x7f", "")),
        *(f"POST /a {version}" for version in ("HTTP/1.0", "HTTP/2.0", "http/1.1", "HTTP/1.1 ")),
        *(f"{method} /a HTTP/1.1" for method in ("PUT", "post", " POST", "POST ", "HEAD")),
    ],
)
def test_an_unusual_first_line_is_not_read(start: str) -> None:
    """Other methods, versions and forms of a target are for aiohttp, and so is a GET with a body."""
    assert read_head(head("Host: a", "Content-Length: 5", start=start)) is None
    assert read_head(head("Host: a", "Content-Length: 5", start="GET /a HTTP/1.1")) is None

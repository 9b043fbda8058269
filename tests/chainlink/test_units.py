"""Quantities, as Go and Chainlink read and write them."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainlink.units import (
    format_duration_ns,
    format_duration_s,
    parse_duration_ns,
    parse_duration_s,
    parse_size,
    parse_wei,
)

_LONGEST = 2**63

# What Go's own time.ParseDuration gives.
_DURATIONS = [
    ("0", 0),
    ("5s", 5 * 10**9),
    ("1478s", 1478 * 10**9),
    ("-5s", -5 * 10**9),
    ("+5s", 5 * 10**9),
    ("-0", 0),
    ("5.s", 5 * 10**9),
    (".5s", 5 * 10**8),
    ("1.0s", 10**9),
    ("1.0040s", 1_004_000_000),
    ("1125ms", 1_125_000_000),
    ("10ns", 10),
    ("11us", 11_000),
    ("12\u00b5s", 12_000),
    ("12\u03bcs", 12_000),
    ("1m0s", 60 * 10**9),
    ("3h30m", 12_600 * 10**9),
    ("10.5s4m", 250_500_000_000),
    ("-2m3.4s", -123_400_000_000),
    ("1h2m3s4ms5us6ns", 3_723_004_005_006),
    ("39h9m14.425s", 140_954_425_000_000),
    ("0.3333333333333333333h", 20 * 60 * 10**9),
    ("9007199254740993ns", (1 << 53) + 1),
    ("9223372036854775.807us", _LONGEST - 1),
    ("-9223372036854775.808us", -_LONGEST),
    ("-2562047h47m16.854775808s", -_LONGEST),
    ("0.100000000000000000000h", 6 * 60 * 10**9),
    ("0.830103483285477580700h", 49 * 60 * 10**9 + 48 * 10**9 + 372_539_827),
]
_NO_DURATIONS = [
    *(
        "",
        "3",
        "10",
        "-",
        "s",
        ".",
        "-.",
        ".s",
        "+.s",
        "1d",
        "5 s",
        " 5s",
        "5s ",
        "5S",
        "1.5.5s",
        "1mss",
        "soon",
        "--1s",
    ),
    *("\u0665s", "9223372036854775808ns", "-9223372036854775809ns", "3000000h", "9223372036854ms775us808ns"),
]


@pytest.mark.parametrize(("text", "expected"), _DURATIONS)
def test_durations_read_as_in_go(text: str, expected: int) -> None:
    """A duration has the nanoseconds that Go gives it, whole or fraction first, whatever its units."""
    assert expected == parse_duration_ns(text)


@pytest.mark.parametrize("text", _NO_DURATIONS)
def test_what_is_no_duration_in_go_is_none_here(text: str) -> None:
    """A text that Go refuses is refused, and the error says what is allowed."""
    with pytest.raises(ValueError, match="Go duration"):
        parse_duration_ns(text)


@given(st.integers(-_LONGEST, _LONGEST - 1))
def test_every_duration_reads_back(duration_ns: int) -> None:
    """What is printed reads as the same duration."""
    assert duration_ns == parse_duration_ns(format_duration_ns(duration_ns))


@given(st.integers(0, 10**6), st.text("0123456789", max_size=12), st.sampled_from([("s", 10**9), ("h", 3600 * 10**9)]))
def test_fractions_are_exact_to_the_nanosecond(whole: int, fraction: str, unit: tuple[str, int]) -> None:
    """A decimal fraction differs from its exact value by less than two nanoseconds, and never has more of them."""
    name, unit_ns = unit
    exact = Decimal(f"{whole}.{fraction or 0}") * unit_ns

    assert -2 < parse_duration_ns(f"{whole}.{fraction}{name}") - exact <= 0


@pytest.mark.parametrize(
    ("duration_ns", "text"),
    [
        (0, "0s"),
        (1, "1ns"),
        (1100, "1.1\u00b5s"),
        (2_200_000, "2.2ms"),
        (500_000_000, "500ms"),
        (3_300_000_000, "3.3s"),
        (245 * 10**9, "4m5s"),
        (245_001 * 10**6, "4m5.001s"),
        (18_367_001 * 10**6, "5h6m7.001s"),
        (480_000_000_001, "8m0.000000001s"),
        (3600 * 10**9, "1h0m0s"),
        (-90 * 10**9, "-1m30s"),
        (_LONGEST - 1, "2562047h47m16.854775807s"),
    ],
)
def test_durations_print_as_in_go(duration_ns: int, text: str) -> None:
    """A duration is printed as Go's Duration.String does."""
    assert text == format_duration_ns(duration_ns)


@given(st.integers(0, 10**9))
def test_seconds_keep_their_milliseconds(duration_ms: int) -> None:
    """Seconds as a float print and read back to the millisecond they stand for, up to days."""
    text = format_duration_s(duration_ms / 1000)

    assert duration_ms / 1000 == parse_duration_s(text)


def test_seconds() -> None:
    """Seconds are read and printed as Go's durations."""
    assert [90.0, 0.1, 0.0, 5400.0] == [parse_duration_s(text) for text in ("1m30s", "100ms", "0", "1.5h")]
    assert ["1m30s", "1.125s", "500ms", "0s", "1h0m0s"] == [format_duration_s(s) for s in (90, 1.125, 0.5, 0, 3600)]


def test_sizes() -> None:
    """Sizes have decimal units; without one they are bytes."""
    assert [32768, 10**6, 256_000, 1_500_000, 7] == [
        parse_size(text) for text in ("32768b", "1mb", "256KB", "1.5mb", "7")
    ]


@pytest.mark.parametrize("text", ["x", "", "1 euro", "-1b", "0.5b", "1.0001kb", "\u0661b", ".5kb", "1e3"])
def test_bad_sizes(text: str) -> None:
    """What is no whole number of bytes is refused."""
    with pytest.raises(ValueError, match=r"a size|a whole number of bytes"):
        parse_size(text)


def test_amounts() -> None:
    """Amounts are exact, in whatever unit a node prints them."""
    texts = ("5 gwei", "1", "1 ether", "1.5mwei", "115792089237.316195423570985008687907853269 teth")

    assert [5 * 10**9, 1, 10**18, 1_500_000] == [parse_wei(text) for text in texts[:4]]
    assert 115792089237316195423570985008687907853269 == parse_wei(texts[4])
    assert [10**15, 10**12, 10**21, 10**30] == [parse_wei(f"1 {unit}") for unit in ("milli", "micro", "keth", "teth")]


@pytest.mark.parametrize(
    "text",
    ["", "gwei", "1 euro", "0.5 wei", "1.0000000000000000000000000000001 ether", "\u0661 wei", "-1 wei"],
)
def test_bad_amounts(text: str) -> None:
    """What is no whole number of wei is refused, however many digits it has."""
    with pytest.raises(ValueError, match=r"an amount|a whole number of wei"):
        parse_wei(text)

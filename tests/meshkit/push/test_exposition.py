"""Pages in the text format, compared with what prometheus_client reads."""

import math

from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from meshkit.push.exposition import by_name, count, escaped, labelled, parts, readable, series

NAMES = st.from_regex(r"[a-zA-Z_][a-zA-Z0-9_]{0,5}", fullmatch=True).filter(lambda name: not name.startswith("__"))
LABELS = st.dictionaries(NAMES, st.text(max_size=5), max_size=3)
SAMPLES = st.lists(st.tuples(st.sampled_from(["a_total", "b", "c:d"]), LABELS, st.floats()), max_size=5)


def written(samples: list[tuple[str, dict[str, str], float]]) -> bytes:
    """Write samples as text."""
    lines = []
    for name, labels, value in samples:
        inner = ",".join(f'{label}="{escaped(text)}"' for label, text in labels.items())
        number = "NaN" if math.isnan(value) else repr(value).replace("inf", "Inf")
        lines.append(f"{name}{{{inner}}} {number}\n")
    return "".join(lines).encode(errors="surrogatepass")


@settings(max_examples=40)
@given(SAMPLES, LABELS)
def test_every_sample_gets_the_labels_that_it_lacks(
    samples: list[tuple[str, dict[str, str], float]], extra: dict[str, str]
) -> None:
    """Whatever characters are in them, a library reads what we say: values as before, own labels, and ours."""
    page = labelled(written(samples), extra)
    found = [
        (each.name, each.labels, repr(each.value))
        for family in text_string_to_metric_families(page.decode())
        for each in family.samples
    ]

    assert [(name, {**extra, **labels}, repr(value)) for name, labels, value in samples] == found
    assert len(samples) == count(page)


@settings(max_examples=40)
@given(SAMPLES, LABELS)
def test_series_are_those_of_the_text(samples: list[tuple[str, dict[str, str], float]], extra: dict[str, str]) -> None:
    """A series has all labels that are not empty, sorted, with the metric's name."""
    expected = []
    for name, labels, value in samples:
        merged = {**extra, **labels, "__name__": name}
        expected.append((tuple(sorted((key, text) for key, text in merged.items() if text)), repr(value)))

    assert expected == [(each.labels, repr(each.value)) for each in series(written(samples), extra)]


def test_forms_that_the_format_allows_are_read() -> None:
    """Spaces, a trailing comma, a time, braces and commas in values, numbers of all kinds."""
    page = b'# TYPE a gauge\n a { x = "1,y=\\"}" , } 1.5e3 1700000000000 \nb{} +Inf\nc -0\n\nd .5\ne 0x10\n'

    assert [
        ((("__name__", "a"), ("x", '1,y="}')), 1500.0, 1_700_000_000_000),
        ((("__name__", "b"),), math.inf, None),
        ((("__name__", "c"),), 0.0, None),
        ((("__name__", "d"),), 0.5, None),
    ] == [(each.labels, each.value, each.time_ms) for each in series(page)]
    whole = page.replace(b"e 0x10\n", b"")
    for labels in ({"j": "k\\1"}, {"j": "k\\1", "x": "other"}):
        families = text_string_to_metric_families(labelled(whole, labels).decode())
        found = [(each.name, each.labels) for family in families for each in family.samples]
        assert [("a", labels | {"x": '1,y="}'}), *((name, labels) for name in "bcd")] == found


def test_lines_that_are_no_samples_are_left_out() -> None:
    """What a receiver would refuse the whole page for is dropped and counted; comments stay."""
    odd = [b"<html>", b'a{x="1} 1', b"b", b"1a 1", b"c{x=1} 1", b"d 1 2 3", b"e 1.2.3", b'f{x="\xff"} --1']
    page = b"# HELP g G.\n" + b"\n".join(odd) + b'\n\ng{a="b"} 1\n'

    assert (b'# HELP g G.\n\ng{a="b"} 1\n', len(odd)) == readable(page)


def test_samples_are_counted_by_name_but_for_those_of_others() -> None:
    """A sample that has another instance of its own is not found under ours, and is not looked for."""
    page = b'a 1\na{x="1"} 1\nb{instance="else"} 1\nb{instance="here"} 1\n'

    assert {"a": 2, "b": 1} == by_name(page, without={"instance": "here"})


@given(st.integers(1, 4), st.integers(0, 9))
def test_parts_have_all_samples_once(most: int, samples: int) -> None:
    """No part has more than its most, and together they have all, each after what is said of its metric."""
    page = b"".join(b"# TYPE m%d gauge\nm%d 1\n" % (index // 2, index // 2) for index in range(samples))
    found = list(parts(page, most))

    assert all(count(part) <= most for part in found)
    assert [b"m%d 1" % (index // 2) for index in range(samples)] == [
        line for part in found for line in part.splitlines() if not line.startswith(b"#")
    ]
    assert all(part.startswith(b"#") for part in found)

"""What is asked of each kind of receiver, without one."""

from typing import Any

from cramjam import snappy
from hypothesis import given
from hypothesis import strategies as st

from feedmesh.metrics.v1 import remote_write_pb2 as pb
from meshkit.push.config import PushConfig
from meshkit.push.page import Page
from meshkit.push.requests import Request, Requests

NODE = {"mesh_service": "node"}


def requests(kind: Any, **changes: Any) -> Requests:
    """Return the requests of a push to a receiver of a kind."""
    fields = {"url": "https://r.example/metrics", "labels": {"job": "j", "instance": "i"}} | changes
    return Requests(PushConfig(interval_ms=1000, timeout_ms=1000, kind=kind, **fields))


def sent(made: Requests, page: Page, time_ms: int = 5) -> list[Request]:
    """Make the requests of a page, and let the receiver take them."""
    found = made.of(page, time_ms)
    made.taken(page)
    return found


def written(request: Request) -> dict[str, list[float]]:
    """Return the values of a remote write by metric."""
    message = pb.WriteRequest.FromString(bytes(snappy.decompress_raw(request.body)))
    found: dict[str, list[float]] = {}
    for series in message.timeseries:
        name = next(label.value for label in series.labels if label.name == "__name__")
        found.setdefault(name, []).append(series.samples[0].value)
    return found


def test_a_page_that_is_gone_takes_its_group_along_once() -> None:
    """What was never pushed, and what is gone already, needs no request."""
    made = requests("pushgateway")
    assert [] == sent(made, Page(None, NODE))
    (put,) = sent(made, Page(b"a 1\n", NODE))
    assert ("PUT", "https://r.example/metrics/job/j/instance/i/mesh_service/node", b"a 1\n") == (
        put.method, put.url, put.body,
    )  # fmt: skip
    (delete,) = sent(made, Page(None, NODE))
    assert ("DELETE", put.url) == (delete.method, delete.url)
    assert [] == sent(made, Page(None, NODE))


def test_a_label_that_samples_begin_to_have_moves_the_group() -> None:
    """The group that had it in its address is deleted, and nothing moves back."""
    made = requests("pushgateway", labels={"job": "j", "service": "mesh"})
    (first,) = sent(made, Page(b"a 1\n"))
    delete, second = sent(made, Page(b'a{service="x"} 1\n'))
    (third,) = sent(made, Page(b"a 1\n"))

    assert ("DELETE", first.url) == (delete.method, delete.url)
    assert ["https://r.example/metrics/job/j/service/mesh", "https://r.example/metrics/job/j"] == [
        first.url,
        second.url,
    ]
    assert (second.url, b'a{service="mesh"} 1\n') == (third.url, third.body)


def test_series_that_are_gone_end_and_those_of_other_pages_stay() -> None:
    """By remote write each page's series are its own; what was not taken is not remembered."""
    made = requests("remoteWrite")
    sent(made, Page(b"a 1\nb 1\n"))
    sent(made, Page(b"a 1\n", NODE))
    made.of(Page(b"c 1\n"), 6)
    (second,) = sent(made, Page(b"a 2\n"), 7)
    values = written(second)

    assert ({"a", "b"}, [2.0]) == (set(values), values["a"])
    assert values["b"][0] != values["b"][0], "the end of a series is a NaN"
    assert 2 == sum(len(written(request)) for request in made.take_back(8))
    assert [] == list(made.take_back(9))


def test_an_importer_gets_one_time_for_all_parts() -> None:
    """A part that is sent again is the same sample, and no second one."""
    made = requests("victoriaMetrics", batch_size=1, method="POST")
    parts = sent(made, Page(b"a 1\nb 2\n"), 1_782_000_000_000)

    query = (("timestamp", "1782000000000"), ("extra_label", "job=j"), ("extra_label", "instance=i"))
    assert [query] * 2 == [part.query for part in parts]
    assert [b"a 1\n", b"b 2\n"] == [part.body for part in parts]
    (own,) = requests("victoriaMetrics").of(Page(b'a{job="x"} 1\nb 2\n'), 6)
    assert ((("timestamp", "6"),), b'a{instance="i",job="x"} 1\nb{job="j",instance="i"} 2\n') == (own.query, own.body)
    assert [] == sent(made, Page(None, NODE))


@given(st.lists(st.integers(1_782_000_000_000, 1_782_000_030_000), max_size=20))
def test_times_rise_though_the_clock_was_set_back_a_little(clock_ms: list[int]) -> None:
    """No two pushes have one time, whatever the clock does within half a minute."""
    made = requests("remoteWrite")
    times = [made.moment(now_ms) for now_ms in clock_ms]

    assert sorted(set(times)) == times


def test_a_clock_that_was_set_right_is_followed() -> None:
    """One that was an hour ahead is not held to that."""
    made = requests("remoteWrite")

    assert [7_200_000, 3_600_000] == [made.moment(7_200_000), made.moment(3_600_000)]


def test_a_probe_changes_nothing() -> None:
    """It has the form of a push and no sample; a Pushgateway is only asked how it is."""
    assert ("GET", "https://r.example/api/v1/status") == (
        requests("pushgateway").probe().method, requests("pushgateway").probe().url,
    )  # fmt: skip
    assert {} == written(requests("remoteWrite").probe())
    assert (b"", "POST") == (requests("text").probe().body, requests("text").probe().method)

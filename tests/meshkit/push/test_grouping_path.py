"""Addresses of groups."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshkit.push.grouping_path import api, group, names_a_group

NAMES = st.from_regex(r"[a-zA-Z_][a-zA-Z0-9_]{0,8}", fullmatch=True).filter(lambda name: name != "job")


@pytest.mark.parametrize(
    ("labels", "path"),
    [
        ({"job": "mesh"}, "/metrics/job/mesh"),
        ({"instance": "h", "job": "mesh"}, "/metrics/job/mesh/instance/h"),
        ({"job": "a/b"}, "/metrics/job@base64/YS9i"),
        ({"job": "mesh", "team": ""}, "/metrics/job/mesh/team@base64/="),
        ({"job": "mesh", "team": "a+b"}, "/metrics/job/mesh/team@base64/YSti"),
        ({"job": "mesh", "team": "ü?"}, "/metrics/job/mesh/team@base64/w7w_"),
        ({"job": "mesh", "team": ".."}, "/metrics/job/mesh/team@base64/Li4"),
    ],
)
def test_odd_values_go_in_base64(labels: dict[str, str], path: str) -> None:
    """Job comes first; a slash, nothing, and what a proxy might read otherwise are encoded."""
    for url in ("https://gw.example", "https://gw.example/", "https://gw.example/metrics"):
        assert f"https://gw.example{path}" == group(url, labels).url


def test_a_group_in_the_address_stands() -> None:
    """Its own labels win, those that it lacks follow, a prefix and a query stay."""
    found = group("https://gw.example/in/metrics/job@base64/YS9i/team/x?y=1", {"job": "mesh", "team": "z", "ttl": "5"})

    assert "https://gw.example/in/metrics/job@base64/YS9i/team/x/ttl/5?y=1" == found.url
    assert {"job": "a/b", "team": "x", "ttl": "5"} == found.labels
    assert "https://gw.example/in/api/v1/metrics" == api(found.url, "/api/v1/metrics")
    assert "https://gw.example/api/v1/metrics" == api("https://gw.example/metrics", "/api/v1/metrics")


@given(st.text(max_size=8), st.dictionaries(NAMES, st.text(max_size=8), max_size=4))
def test_labels_are_read_back_from_the_address(job: str, labels: dict[str, str]) -> None:
    """Whatever the values are, the address has them all and nothing else, in plain characters."""
    found = group("https://gw.example", {"job": job, **labels})

    assert names_a_group(found.url)
    assert {"job": job, **labels} == found.labels == group(found.url, {"job": "other"}).labels
    assert found.url.isascii()

"""What a push takes from a section of the configuration."""

import ssl
from pathlib import Path

import pytest
from pydantic import ValidationError

from meshkit.configuration.aggregator import MetricsPush
from meshkit.errors import InvalidInput
from meshkit.push.config import PushConfig, kind_of, read, trusting
from meshkit.push.errors import PushRefused
from tests.certificate_authority import Authority


def section(**given: object) -> MetricsPush:
    """Return a section of the configuration that asks for a push."""
    return MetricsPush.model_validate({"enabled": True, "url": "https://metrics.example/push"} | given)


def test_nothing_is_pushed_unless_asked_for() -> None:
    """Without a section, and with one that is not enabled, there is no push."""
    assert read(None, "x", "POST") is None
    assert read(section(enabled=False), "x", "POST") is None


def test_settings_are_taken() -> None:
    """Address, times, credentials and headers are those of the section; job and instance are labels."""
    given = {"intervalMs": 15_000, "timeoutMs": 900, "groupingLabels": {"instance": "host-7", "environment": "dev"}}
    secret = {"basicAuth": {"username": "u", "password": "hidden-pw"}, "headers": {"X-Key": "hidden-key"}}
    push = read(section(**given, **secret), "x", "POST")

    assert push == PushConfig(
        url="https://metrics.example/push",
        interval_ms=15_000,
        timeout_ms=900,
        labels={"job": "price-aggregator", "instance": "host-7", "environment": "dev"},
        method="POST",
        batch_size=100,
        egress=frozenset({"metrics.example"}),
        username="u",
        password="hidden-pw",
        headers={"X-Key": "hidden-key"},
    )
    assert "hidden" not in repr(push)


@pytest.mark.parametrize("name", ["my-label", "", "1st", "__name__"])
def test_label_that_prometheus_refuses_is_refused(name: str) -> None:
    """A grouping label with a bad name is an error that names the key and the label."""
    with pytest.raises(InvalidInput) as caught:
        read(section(groupingLabels={name: "x"}), "solution.metricsPush", "PUT")

    assert (caught.value.field, caught.value.found) == ("solution.metricsPush.groupingLabels", name)


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("https://gateway.example/metrics/job/mesh", "pushgateway"),
        ("https://gateway.example/prefix/metrics/job@base64/YS9i/team/a", "pushgateway"),
        ("https://vm.example/api/v1/import/prometheus", "victoriaMetrics"),
        ("https://vm.example/insert/0/prometheus/api/v1/import/prometheus/?extra_label=a=b", "victoriaMetrics"),
        ("https://prometheus.example/api/v1/write", "remoteWrite"),
        ("https://mimir.example/api/v1/push", "remoteWrite"),
        ("https://metrics.example/push", "text"),
        ("https://metrics.example/metrics", "text"),
    ],
)
def test_the_address_tells_what_the_receiver_is(url: str, kind: str) -> None:
    """A known path says how the receiver is spoken with, and the setting overrides it."""
    assert kind == kind_of(url)
    told = read(section(url=url, receiver="remoteWrite"), "x", "PUT")
    assert told is not None
    assert "remoteWrite" == told.kind


def test_only_who_reads_it_is_sent_gzip() -> None:
    """Without the setting VictoriaMetrics gets it and nobody else; the setting decides for any."""
    importer = "https://vm.example/api/v1/import/prometheus"
    found = [
        read(section(url=url, **given), "x", "PUT")
        for url, given in (
            (importer, {}),
            (importer, {"gzip": False}),
            ("https://a.example/push", {}),
            ("https://a.example/push", {"gzip": True}),
        )
    ]

    assert [True, False, False, True] == [push.gzip for push in found if push is not None]


def test_a_file_of_authorities_that_cannot_be_read_is_a_refusal(tmp_path: Path) -> None:
    """A good one is taken; one that is not there or has no certificate refuses each push, and names the file."""
    good, empty = tmp_path / "ca.crt", tmp_path / "empty"
    good.write_bytes(Authority().pem)
    empty.touch()
    push = read(section(caFile=str(good)), "solution.metricsPush", "PUT")
    assert push is not None
    assert good == push.ca_file

    assert isinstance(trusting(good), ssl.SSLContext)
    assert trusting(None) is True
    for bad in (empty, tmp_path / "none"):
        with pytest.raises(PushRefused, match=str(bad)):
            trusting(bad)


def test_a_job_without_a_name_is_refused() -> None:
    """A Pushgateway takes no such group, so it is said before anything starts."""
    with pytest.raises(ValidationError, match="jobName"):
        MetricsPush.model_validate({"enabled": True, "url": "https://a.example", "jobName": ""})

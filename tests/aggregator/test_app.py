"""The service put together, as a process of its own."""

import asyncio
import json
import signal
import subprocess
import sys
from pathlib import Path

from aiohttp.test_utils import TestServer
from prometheus_client.parser import text_string_to_metric_families

from tests.aggregator.processes import Running
from tests.receiver import Receiver
from tests.waiting import until


async def test_metrics_are_pushed_where_the_configuration_says(run_dir: Path, market: str) -> None:
    """The process posts its page with the configured credentials and labels, and goes on after a refusal."""
    receiver = Receiver(statuses=[204, 400])
    running = Running(run_dir, {"kraken": {"baseUrl": f"{market}/kraken", "ttl": 5000}}, ("BTC / USD",))
    path = run_dir / "configuration.json"
    document = json.loads(path.read_text())
    async with TestServer(receiver.app()) as server:
        document["solution"]["priceAggregatorConfig"]["metricsPush"] = {
            "enabled": True,
            "url": str(server.make_url("/push")),
            "intervalMs": 1000,
            "jobName": "prices",
            "groupingLabels": {"environment": "dev", "instance": 'a"b'},
            "basicAuth": {"username": "user", "password": "a-password"},
        }
        path.write_text(json.dumps(document))
        async with running.process() as process:
            await until(lambda: len(receiver.received) >= 3, "three pushes")
            process.send_signal(signal.SIGTERM)
            output, _ = await asyncio.wait_for(process.communicate(), 15)

    first, _, third = receiver.received[:3]
    samples = [sample for family in text_string_to_metric_families(third.body) for sample in family.samples]
    assert ("POST", {}, ("user", "a-password")) == (first.method, first.query, first.authorization)
    assert "text/plain; version=0.0.4; charset=utf-8" == first.headers["Content-Type"]
    assert {"prices"} == {sample.labels["job"] for sample in samples}
    assert {('a"b', "dev")} == {(sample.labels["instance"], sample.labels["environment"]) for sample in samples}
    assert 1 == next(sample.value for sample in samples if sample.name == "feedmesh_metrics_push_failures_total")
    assert 0 == process.returncode
    assert b"a-password" not in output
    assert b"push_failed" in output


def test_what_few_configurations_need_is_not_loaded() -> None:
    """Without certificates and without remote write, nothing that reads certificates or compresses takes memory."""
    unwanted = ("cramjam", "cryptography", "greenlet", "rich")
    script = f"import sys, services.aggregator.app; print([name for name in {unwanted} if name in sys.modules])"
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert "[]\n" == run.stdout

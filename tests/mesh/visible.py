"""What others than a mesh's owner may come to see of it: every text that could show a secret."""

import json
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path

import psutil

from tests.mesh.running import Mesh

# What can be asked of every service without changing anything, by the name of its socket.
_QUESTIONS = {
    "supervisor": ("supervisor.v1.SupervisorService", ("ListServices", "GetPlan")),
    "dbinit": ("dbinit.v1.DatabaseService", ("ListDatabases", "Check", "GetConnection")),
    "aggregator": ("aggregator.v1.QuoteService", ("ListSources", "ListPairs")),
    "metrics": ("metrics.v1.ProcessMetricsService", ("GetSnapshot",)),
    "operator": (
        "operator.v1.OperatorService",
        ("PrepareNodes", "ListNodes", "Reconcile", "ListFeeds", "ListBalances"),
    ),
    "chainlink-node-1": ("oracle.v1.OracleService", ("GetStatus", "ListJobs")),
    "chainlink-node-2": ("oracle.v1.OracleService", ("GetStatus", "ListJobs")),
}
_NODE = '{"node": 2}'
_PAGES = {
    "metrics page": (3003, "/metrics"),
    "aggregator's metrics": (3000, "/metrics"),
    "node's metrics": (6602, "/metrics"),
    "node's health": (6602, "/health"),
    "error of a node": (6602, "/v2/keys/ocr"),
    "error of the aggregator": (3000, "/nonsense?apiKey=x"),
}


def secrets_seen(mesh: Mesh, secrets: Mapping[str, str]) -> list[str]:
    """Return where which of the secrets, given by their names, can be seen; and each process that may dump its core."""
    texts = [*_logs(mesh), *_processes(mesh), *_answers(mesh), *_pages(mesh)]
    assert len(texts) > 50, [where for where, _ in texts]
    assert all(text for where, text in texts if where.startswith(("log", "answer", "page"))), texts
    found = [
        f"{where}: {name}"
        for where, text in texts
        for name, secret in secrets.items()
        if secret.removeprefix("0x").lower() in text.lower()
    ]
    return found + [f"core file of {words}" for words, limit in _core_limits(mesh) if limit != "0"]


def _logs(mesh: Mesh) -> Iterator[tuple[str, str]]:
    yield "terminal", mesh.text()
    yield "log lines", mesh.command("logs", "-n", "1000").stdout
    for path in sorted((mesh.data_dir / "logs").rglob("*")):
        if path.is_file() and path.stat().st_size:
            yield f"log {path.name}", path.read_text(errors="replace")


def _processes(mesh: Mesh) -> Iterator[tuple[str, str]]:
    for process in psutil.Process(mesh.process.pid).children(recursive=True):
        try:
            words, environment = process.cmdline(), process.environ()
        except psutil.NoSuchProcess:
            continue  # PostgreSQL's backends come and go
        yield f"arguments of {words[:4]}", " ".join(words)
        yield f"environment of {words[:4]}", json.dumps(environment)


def _answers(mesh: Mesh) -> Iterator[tuple[str, str]]:
    program = Path(sys.executable).parent / "grpcurl"
    for socket, (service, methods) in _QUESTIONS.items():
        for method in methods:
            question = _NODE if method == "GetConnection" else "{}"
            words = ("-plaintext", "-unix", "-authority", "localhost", "-d", question)
            target = (str(mesh.run_dir / f"{socket}.sock"), f"feedmesh.{service}/{method}")
            # An error is an answer too.
            done = subprocess.run(
                [str(program), *words, *target], capture_output=True, text=True, timeout=60, check=False
            )
            yield f"answer of {method}", done.stdout + done.stderr


def _pages(mesh: Mesh) -> Iterator[tuple[str, str]]:
    for name, (port, path) in _PAGES.items():
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port + mesh.offset}{path}", timeout=10) as response:
                text = response.read().decode()
        except urllib.error.HTTPError as error:
            text = f"{error} {error.read().decode()}"
        yield f"page {name}", text


def _core_limits(mesh: Mesh) -> Iterator[tuple[str, str]]:
    processes = [psutil.Process(mesh.process.pid), *psutil.Process(mesh.process.pid).children(recursive=True)]
    for process in processes:
        try:
            limits = Path(f"/proc/{process.pid}/limits").read_text().splitlines()
        except (FileNotFoundError, ProcessLookupError):
            continue
        (line,) = [line for line in limits if line.startswith("Max core file size")]
        yield str(process.pid), line.split()[4]

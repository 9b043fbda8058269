"""How long the databases and files of 31 nodes, the most a feed can have, take to make."""

import json
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from tests.bench.report import Report, Row

if TYPE_CHECKING:
    from meshkit.configuration.solution import Configuration

T = TypeVar("T")
_NODES = 31


def run() -> Report:
    """Measure from nothing to everything, and again with everything there; takes about half a minute."""
    from services.dbinit.config import from_configuration
    from services.dbinit.databases.isolation_check import check
    from services.dbinit.databases.provision import provision
    from services.operator.config import OperatorConfig
    from services.operator.nodes import prepare_nodes
    from tests.dbinit.server import Server, in_thread, open_directory

    configuration = _configuration(directory := open_directory())
    settings = from_configuration(configuration, directory / "run")
    operator = OperatorConfig.of(configuration)
    bootstrap_s, server = _timed(lambda: Server(settings))
    try:
        start_s, _ = _timed(server.start)
        provision_s, made = _timed(lambda: in_thread(provision(settings)))
        files_s, prepared = _timed(lambda: in_thread(prepare_nodes.prepare(operator)))
        again_s, found = _timed(lambda: in_thread(provision(settings)))
        files_again_s, _ = _timed(lambda: in_thread(prepare_nodes.prepare(operator)))
        check_s, checked = _timed(lambda: in_thread(check(settings)))
        server.stop(signal.SIGKILL)
        recovery_s, _ = _timed(server.start)
    finally:
        server.remove()
    counts = (made.created_count, found.created_count, len(prepared.nodes), checked.violations)
    if counts != (_NODES, 0, _NODES, ()):
        raise AssertionError(f"made, made again, files, violations: {counts}")
    return Report(
        "database",
        (
            Row("the cluster (initdb, flushed)", bootstrap_s, "s"),
            Row("the server, until it answers", start_s, "s"),
            Row(f"roles and databases of {_NODES} nodes", provision_s, "s"),
            Row(f"keys and configuration files of {_NODES} nodes", files_s, "s"),
            Row("all of it", bootstrap_s + start_s + provision_s + files_s, "s", at_most=10),
            Row("roles and databases again, all there", again_s, "s"),
            Row("files again, all there", files_again_s, "s"),
            Row("a killed server, until it answers again", recovery_s, "s"),
            Row(f"proof of isolation, {checked.attempts} logins", check_s, "s"),
        ),
        (
            "one after the other; the mesh makes files and databases at the same time",
            f"key files at the embedded profile's cost (scrypt N {operator.scrypt_n}); at 262,144 each key takes about "
            "a second of one core, once",
        ),
    )


def _timed(work: Callable[[], T]) -> tuple[float, T]:
    began = time.perf_counter()
    done = work()
    return time.perf_counter() - began, done


def _configuration(directory: Path) -> "Configuration":
    from cli.embedded.profile import document_for
    from meshkit.configuration.load import load
    from tests.bench.setup import SECRETS
    from tests.ports import free_port

    (directory / "run").mkdir()
    kept = {name: value for name, value in SECRETS.items() if isinstance(value, str)}
    document = document_for(directory / "data", directory / "run", _NODES, ["BTC / USD"], 0, kept)
    document |= {"pgPort": free_port()}
    document["mesh"]["postgres"] = {"maxConnections": 1000}
    path = directory / "configuration.json"
    path.write_text(json.dumps({"solution": document}))
    return load(path)

"""The embedded oracle node: `python -m services.oracle node --config … --secrets … --api … --run-dir … --name …`."""

import gc

# What imports make stays; looking through it again and again takes a tenth of a start. `runtime.run` begins with it.
gc.disable()

import argparse
import os
from pathlib import Path

from meshkit import log
from meshkit.clock import SystemClock
from meshkit.mutual_tls.certificates import CertificateDirectory
from meshkit.paths import RunDir, default_run_dir
from meshkit.process import core_dumps
from meshkit.process.runtime import run
from meshkit.rpc.server import TcpListener
from services.oracle import settings
from services.oracle.app import Node


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m services.oracle", description="Run one embedded oracle node.")
    node = parser.add_subparsers(dest="command", required=True).add_parser("node", help="run until SIGTERM")
    node.add_argument("--config", type=Path, required=True, help="config.toml of the node")
    node.add_argument("--secrets", type=Path, required=True, help="secrets.toml of the node")
    node.add_argument("--api", type=Path, help="API credentials: e-mail and password, one a line")
    node.add_argument("--run-dir", type=Path, default=default_run_dir(), help="directory of the Unix sockets")
    node.add_argument("--name", required=True, help="name of the service, for example chainlink-node-2")
    node.add_argument("--manual-job-runs", action="store_true", help="run a job's pipeline by request")
    node.add_argument("--egress", metavar="HOST,…", help="hosts beyond this one that jobs may ask; absent for any")
    node.add_argument("--grpc", metavar="HOST:PORT", help="also answer gRPC there, by mutual TLS")
    node.add_argument("--tls-dir", type=Path, help="directory of ca.crt, tls.crt and tls.key, for --grpc")
    given = parser.parse_args()
    if (given.grpc is None) != (given.tls_dir is None):
        parser.error("--grpc and --tls-dir: found one of them, allowed: both or none")
    return given


async def _main() -> None:
    given = _arguments()
    log.configure(given.name, os.environ.get("FEEDMESH_LOG_LEVEL", "info"))
    config = settings.read_config(given.config)
    log.configure(given.name, config.log.python_level)
    secrets = settings.read_secrets(given.secrets)
    credentials = settings.ApiCredentials.read(given.api) if given.api else None
    socket = RunDir(given.run_dir).socket(given.name)
    tcp = TcpListener(given.grpc, CertificateDirectory(given.tls_dir)) if given.grpc else None
    egress = None if given.egress is None else frozenset(filter(None, given.egress.split(",")))
    clock = SystemClock()
    await Node(config, secrets, credentials, socket, given.name, clock, tcp, given.manual_job_runs, egress).run()


if __name__ == "__main__":
    core_dumps.forbid()
    run(_main)

"""
Make what each machine of a mesh that is spread out is given, one directory a service: `feedmesh prepare`.

    OUT/aggregator   configuration.json
    OUT/operator     configuration.json, and the nodes' keys: 1-evm_key.json, 1-p2p_key.json, 2-evm_key.json, …
    OUT/node-2       configuration.json, config.toml, secrets.toml, apicredentials

Each configuration has a mask in the place of every secret that its service does not read. The files' names are good as
keys of a Kubernetes Secret.
"""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import orjson

from cli.errors import CliError, UsageError
from meshkit import atomic_file
from meshkit.configuration import start_check
from meshkit.configuration.keys_by_service import AGGREGATOR, OPERATOR, SERVED_NODE, ServiceKeys
from meshkit.configuration.load import load, read_document
from meshkit.configuration.masked_configuration import masked
from meshkit.configuration.solution import Configuration
from meshkit.paths import DataDir, SecretsDir

_CONFIGURATION: Final = "configuration.json"
NODE_FILES: Final = ("config.toml", "secrets.toml", "apicredentials")


def prepare(config: Path, out: Path) -> list[Path]:
    """
    Have the operator make keys and files of the nodes, write every service's share, and return the directories.

    What is there already is replaced, keys never. Raises CliError with the operator's words.
    """
    start_check.readable(config, os.environ, signed=True)
    configuration = load(config)
    if not configuration.solution.mesh.network.is_spread_out:
        raise UsageError("solution.mesh.network.nodeHosts: found none, needed: the host of each node")
    _run(["services.operator", "prepare"], config)
    document = read_document(config)
    written = []
    for name, files in _shares(configuration, document):
        directory = out / name
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        for file, content in files.items():
            atomic_file.replace(directory / file, content, 0o600)
        written.append(directory)
    return written


def prepare_databases(config: Path) -> None:
    """Make roles and databases of the nodes in the server of `solution.mesh.postgres.url`. Raises CliError."""
    start_check.readable(config, os.environ, signed=True)
    if load(config).solution.mesh.postgres.url is None:
        raise UsageError("solution.mesh.postgres.url: found none, needed: the URL of the server")
    print(_run(["services.dbinit", "provision", "--here"], config).strip())


def _shares(configuration: Configuration, document: Any) -> Iterator[tuple[str, Mapping[str, bytes]]]:
    def share(keys: ServiceKeys) -> bytes:
        return orjson.dumps(masked(document, configuration, keys), option=orjson.OPT_INDENT_2)

    solution = configuration.solution
    data = DataDir(solution.mesh.data_dir.absolute())
    secrets = SecretsDir(Path(solution.sp_secrets_dir).absolute())
    yield "aggregator", {_CONFIGURATION: share(AGGREGATOR)}
    keys = {
        f"{index}-{file.name}": file.read_bytes()
        for index in range(1, solution.total_nodes + 1)
        for file in sorted(secrets.node(index).glob("*_key.json"))
    }
    yield "operator", {_CONFIGURATION: share(OPERATOR), **keys}
    for index in range(1, solution.total_nodes + 1):
        files = {name: (data.node(index) / name).read_bytes() for name in NODE_FILES}
        yield f"node-{index}", {_CONFIGURATION: share(SERVED_NODE), **files}


def _run(arguments: list[str], config: Path) -> str:
    environment = {**os.environ, "FEEDMESH_CONFIG": str(config.absolute())}
    ran = subprocess.run(
        [sys.executable, "-m", *arguments], env=environment, capture_output=True, text=True, check=False
    )
    if ran.returncode != 0:
        said = (ran.stderr.strip() or ran.stdout.strip()).splitlines()[-1:] or ["it said nothing"]
        raise CliError(f"{' '.join(arguments)} ended with {ran.returncode}: {said[0]}")
    return ran.stdout

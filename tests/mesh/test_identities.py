"""A mesh of a configuration file, on a chain that is not its own, that loses everything but a backup."""

import asyncio
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from eth_account import Account

from chainlink.identities import key_files
from cli.embedded import profile
from meshkit.credentials import database_password
from tests.mesh.running import FEEDMESH, Mesh, free_port_offset, own_directory, stopping
from tests.mesh.visible import secrets_seen
from tests.operator import anvil

pytestmark = [pytest.mark.long(60), pytest.mark.timeout(400)]

FEEDS = ("BTC / USD",)
MARKED = {
    "pgPassword": "marked-database-password-0001",
    "chainlinkPassword": "marked-api-password-0002",
    "chainlinkKeystorePassword": "marked-keystore-password-0003",
    "faucetPrivateKey": "0x" + ("5ec4e7" * 11)[:64],
}
SOURCE_KEY = "marked-source-key-0004"
BACKUP_PASSWORD = "marked-backup-password-0005"


def _write(directory: Path, offset: int) -> Path:
    """Write the configuration of a mesh that keeps its secrets outside of its data, with one in a file of its own."""
    solution = profile.document_for(directory / "data", directory / "run", 5, FEEDS, offset, dict(MARKED))
    secrets = directory / "secrets"
    secrets.mkdir()
    (secrets / "pg-password").write_text(MARKED["pgPassword"] + "\n")
    solution |= {"spSecretsDir": str(secrets), "pgPassword": str(secrets / "pg-password")}
    # Every source takes one, needed or not.
    for source in solution["priceAggregatorConfig"]["sources"].values():
        source["apiKey"] = SOURCE_KEY
    solution["mesh"]["devchain"] = {"enabled": False}
    path = directory / "configuration.json"
    path.write_text(json.dumps({"solution": solution}))
    (directory / "password").write_text(BACKUP_PASSWORD)
    return path


def _feedmesh(*words: object) -> str:
    done = subprocess.run([*FEEDMESH, *map(str, words)], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert not [secret for secret in (*MARKED.values(), BACKUP_PASSWORD) if secret in done.stdout + done.stderr]
    return done.stdout


def _identities(mesh: Mesh, config: Path) -> tuple[Any, dict[str, tuple[str, str]]]:
    """Return every node's public keys, and each feed's contract with its configuration's digest."""
    contracts = {name: (feed["address"], feed["config_digest"]) for name, feed in mesh.feeds().items()}
    return json.loads(_feedmesh("keys", "list", "--config", config, "--json")), contracts


def _files(directory: Path) -> dict[str, bytes]:
    return {str(path.relative_to(directory)): path.read_bytes() for path in directory.rglob("*") if path.is_file()}


def _secrets(directory: Path) -> dict[str, str]:
    """Return all secrets of the mesh by their names, the nodes' private keys among them."""
    found = MARKED | {"apiKey": SOURCE_KEY, "database of node 2": database_password(MARKED["pgPassword"], 2)}
    for index in (1, 2):
        path = directory / "secrets" / "cl-secrets" / str(index)
        keys = key_files.ensure(path, MARKED["chainlinkKeystorePassword"], 4096, with_ocr=index > 1)
        found |= {f"EVM key {index}": keys.evm.private_key.hex(), f"P2P key {index}": keys.p2p.seed.hex()}
        if keys.ocr is not None:
            found["signing key"] = keys.ocr.keys.signing.hex()
            found["signing key, as in a bundle"] = str(int.from_bytes(keys.ocr.keys.signing, "big"))
    return found


def test_a_mesh_comes_back_from_its_backup() -> None:
    """
    Nobody sees a secret of a running mesh; and from a backup alone it is who it was, on the same contracts.

    The data directory and the databases are gone, as is all else: the backup gives back the very files of the secrets,
    so a start of which only these were kept is the same. Contracts are neither deployed nor configured anew.
    """
    offset = free_port_offset()
    with own_directory() as directory, anvil.start(8545 + offset, "--block-time", "1") as chain:
        config = _write(directory, offset)
        faucet = str(Account.from_key(MARKED["faucetPrivateKey"]).address)
        asyncio.run(chain.call("anvil_setBalance", faucet, hex(10**22)))
        with stopping(Mesh(directory, offset, config=config)) as mesh:
            mesh.first_rounds(FEEDS, 120)
            before, rounds = _identities(mesh, config), int(mesh.feeds()[FEEDS[0]]["round_id"])
            assert [] == secrets_seen(mesh, _secrets(directory))

        backup, password = directory / "backup", directory / "password"
        _feedmesh("backup", backup, "--config", config, "--password-file", password)
        kept = _files(directory / "secrets")
        for lost in ("data", "secrets"):
            shutil.rmtree(directory / lost)
        config.unlink()
        _feedmesh("restore", backup, "--password-file", password)
        assert kept == _files(directory / "secrets")

        with stopping(Mesh(directory, offset, config=config)) as mesh:
            mesh.first_rounds(FEEDS, 120)
            assert before == _identities(mesh, config)
            assert int(mesh.feeds()[FEEDS[0]]["round_id"]) > rounds

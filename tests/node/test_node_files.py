"""The files that the operator makes for nodes, read by the programs that are started with them."""

import os
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from chainlink.rpc.endpoints import Endpoint
from services.operator.config import OperatorConfig
from services.operator.nodes import prepare_nodes
from services.oracle.settings import ApiCredentials, read_config, read_secrets
from tests.dbinit.server import in_thread
from tests.operator.conftest import _config_in


def configurations(directory: Path) -> dict[str, OperatorConfig]:
    """Return what nodes' files are made of, in all that they differ by."""
    plain = _config_in(directory)
    others = (Endpoint("second", "https://rpc.example/a", "wss://rpc.example/b"),)
    spread_out = replace(plain.ports, node_hosts=tuple(f"10.0.0.{index}" for index in plain.node_indexes))
    return {
        "plain": plain,
        "OCR2": replace(plain, feeds=tuple(replace(feed, ocr_version=2) for feed in plain.feeds)),
        "several endpoints": replace(plain, chain=replace(plain.chain, others=others)),
        "opBNB": replace(plain, chain=replace(plain.chain, chain_id=204, gas_price_wei=1)),
        "spread out": replace(plain, ports=spread_out),
    }


@pytest.mark.parametrize("kind", ["plain", "OCR2", "several endpoints", "opBNB", "spread out"])
async def test_our_program_reads_them(tmp_path: Path, kind: str) -> None:
    """Our own node finds OCR and its keys in every node's files."""
    config = configurations(tmp_path)[kind]
    prepared = await prepare_nodes.prepare(config)
    for node in prepared.identities:
        directory = config.data.node(node.index)
        found, secrets = read_config(directory / "config.toml"), read_secrets(directory / "secrets.toml")

        assert (True, node.peer_id) == (found.ocr.enabled, found.p2p.peer_id)
        assert [config.chain.chain_id] == [chain.number for chain in found.evm]
        assert [config.chain.chain_id] == [key.chain_id for key in secrets.evm.keys]
        assert config.credentials.api_email == ApiCredentials.read(directory / "apicredentials").email


@pytest.mark.chainlink_node
@pytest.mark.parametrize("kind", ["plain", "OCR2", "several endpoints", "opBNB", "spread out"])
def test_chainlinks_program_finds_them_valid(tmp_path: Path, chainlink: Path, kind: str) -> None:
    """Its own `validate` has nothing to say against any node's files."""
    config = configurations(tmp_path)[kind]
    prepared = in_thread(prepare_nodes.prepare(config))
    for node in prepared.identities:
        directory = config.data.node(node.index)
        files = ("-c", str(directory / "config.toml"), "-s", str(directory / "secrets.toml"))
        environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
        said = subprocess.run(
            (chainlink, "node", *files, "validate"), env=environment, capture_output=True, text=True, check=False
        )

        assert (0, "Valid configuration.") == (said.returncode, said.stdout.strip().splitlines()[-1]), said.stderr
        assert config.credentials.keystore_password not in said.stdout + said.stderr

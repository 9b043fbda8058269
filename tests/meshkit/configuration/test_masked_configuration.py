"""A configuration for one service's eyes: what is masked, and what is not."""

from pathlib import Path

import orjson
import pytest

from meshkit.configuration.keys_by_service import AGGREGATOR, DBINIT, METRICS, OPERATOR, POSTGRES, ServiceKeys
from meshkit.configuration.load import load, secrets_of
from meshkit.configuration.masked_configuration import masked
from meshkit.configuration.reading import document as reading

VECTOR = Path(__file__).parents[2] / "vectors" / "configuration.signed.json"


@pytest.mark.parametrize("keys", [AGGREGATOR, DBINIT, METRICS, OPERATOR, POSTGRES], ids=lambda keys: keys.service)
def test_a_service_sees_its_own_secrets_only(tmp_path: Path, keys: ServiceKeys) -> None:
    """What is masked is valid, has every declared value as it was, and no secret that is not declared."""
    whole, document = load(VECTOR), reading.read(VECTOR).given
    path = tmp_path / "masked.json"
    path.write_bytes(orjson.dumps(masked(document, whole, keys)))
    seen = load(path)

    hidden = {"pgPassword", "chainlinkPassword", "chainlinkKeystorePassword", "faucetPrivateKey"} - set(keys.keys)
    text = path.read_text()
    for name in hidden:
        assert document["solution"][name] not in text
        assert len(document["solution"][name]) == len(orjson.loads(text)["solution"][name])
    assert document == reading.read(VECTOR).given, "the document itself has changed"
    assert len(list(secrets_of(whole))) == len(list(secrets_of(seen)))


def test_what_is_declared_stays() -> None:
    """The operator has the faucet's key, dbinit the password that the nodes' are derived from."""
    whole, document = load(VECTOR), reading.read(VECTOR).given
    given = document["solution"]
    assert given["faucetPrivateKey"] == masked(document, whole, OPERATOR)["solution"]["faucetPrivateKey"]
    assert given["pgPassword"] == masked(document, whole, DBINIT)["solution"]["pgPassword"]
    assert given["pgPassword"] != masked(document, whole, POSTGRES)["solution"]["pgPassword"]


def test_a_masked_url_is_still_one(tmp_path: Path) -> None:
    """Who may not see the database server's URL gets one that is valid and leads nowhere; the operator gets it."""
    document = reading.read(VECTOR).given
    url = "postgresql://root:0dd-secret@db.example/postgres?sslmode=verify-full&sslrootcert=/etc/ca.crt"
    document["solution"].setdefault("mesh", {})["postgres"] = {"url": url}
    path = tmp_path / "whole.json"
    path.write_bytes(orjson.dumps(document))
    whole = load(path)
    for keys, seen in ((AGGREGATOR, False), (OPERATOR, True)):
        path.write_bytes(orjson.dumps(masked(document, whole, keys)))
        found = load(path).solution.mesh.postgres.url
        assert found is not None
        assert seen == (url == found.get_secret_value())
        assert seen == ("0dd-secret" in path.read_text())

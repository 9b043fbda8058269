"""What the operator relies on in a node, of whichever program: start, keys, bridges, jobs, restart, kill."""

import signal
import uuid
from collections.abc import AsyncIterator, Iterable
from dataclasses import replace

import orjson
import pytest
from eth_utils.address import to_checksum_address

from chainlink.jobs import JobSpec
from chainlink.keys.ocr2 import Ocr2KeyBundle
from meshkit.job_templates.placeholders import JobValues, filled
from services.operator.nodes import feed_jobs, ocr2_jobs
from services.operator.nodes.identity import OcrIdentity
from tests.job_templates import FEEDS, of
from tests.node import rest
from tests.node.node import NodeUnderTest
from tests.node.rest import Rest

BRIDGE = {"name": feed_jobs.BRIDGE_NAME, "url": "http://127.0.0.1:1/quotes/batch"}


def address(number: int) -> str:
    """Return the address of a contract that there is not."""
    return to_checksum_address(number.to_bytes(20, "big"))


def job_of(node: NodeUnderTest, feed: str, number: int) -> JobSpec:
    """Return the job that the operator makes for a feed with that contract."""
    chain_id, identity = node.config.chain.chain_id, node.prepared.identity
    return feed_jobs.oracle_job(feed, 8, chain_id, address(number), identity, node.bootstrappers, 1000)


async def make(api: Rest, texts: Iterable[str]) -> None:
    """Make jobs; each is granted."""
    for text in texts:
        answer = await api.post("/v2/jobs", {"toml": text})
        assert 200 == answer.status, (answer, text)


async def delete_all(api: Rest) -> None:
    """Delete every job, and the bridge."""
    for job in (await api.jobs()).values():
        assert 204 == (await api.delete(f"/v2/jobs/{job['id']}")).status
    await api.delete(f"/v2/bridge_types/{feed_jobs.BRIDGE_NAME}")


@pytest.fixture(name="ready")
async def _ready(node: NodeUnderTest, api: Rest) -> AsyncIterator[Rest]:
    """Give a session with a node that has its OCR bundle and the bridge; the jobs of a test go with it."""
    ocr = node.prepared.identity.ocr
    assert ocr is not None
    if ocr.bundle_id not in await ids(api, "/v2/keys/ocr"):
        await import_bundle(node, api)
    assert 200 == (await api.post("/v2/bridge_types", BRIDGE)).status
    yield api
    await delete_all(api)


async def ids(api: Rest, path: str) -> set[str]:
    """Return the ids of a list."""
    return {item["id"] for item in (await api.get(path)).data}


async def import_bundle(node: NodeUnderTest, api: Rest) -> str:
    """Import the node's OCR bundle as the operator does, and return the id that it is answered."""
    assert node.prepared.ocr_export is not None
    password = node.config.credentials.keystore_password
    answer = await api.post("/v2/keys/ocr/import", orjson.loads(node.prepared.ocr_export), oldpassword=password)
    return str(answer.data["id"])


async def test_nothing_is_told_without_the_password(node: NodeUnderTest) -> None:
    """Without a login, and with a wrong password, all that is kept is refused; health and readiness are told."""
    async with rest.stranger(node) as api:
        assert 401 == (await api.get("/v2/jobs")).status
        wrong = await api.login(node.config.credentials.api_email, "no-password-of-anybody")
        assert (401, 401) == (wrong.status, (await api.get("/v2/keys/evm")).status)
        assert 200 == (await api.get("/readyz")).status
        assert (await api.get("/health")).status in (200, 207)


async def test_the_keys_of_its_files_are_its_own(node: NodeUnderTest, api: Rest) -> None:
    """The account and the peer id of secrets.toml are all that it has; a bundle gets the id that its file has."""
    identity = node.prepared.identity
    assert identity.ocr is not None

    accounts = {key["attributes"]["address"] for key in (await api.get("/v2/keys/evm")).data}
    assert {identity.transmitter_address} == accounts
    assert {identity.peer_id} == {peer.removeprefix("p2p_") for peer in await ids(api, "/v2/keys/p2p")}
    assert identity.ocr.bundle_id == await import_bundle(node, api)
    assert identity.ocr.bundle_id in await ids(api, "/v2/keys/ocr")
    signer = f"ocrsad_{identity.ocr.signing_address}"
    assert signer in {key["attributes"]["onChainSigningAddress"] for key in (await api.get("/v2/keys/ocr")).data}


async def test_bridges_are_made_changed_and_deleted(api: Rest) -> None:
    """A bridge has its URL, one of the same name is refused, and what is gone is not found."""
    path = f"/v2/bridge_types/{feed_jobs.BRIDGE_NAME}"
    made = await api.post("/v2/bridge_types", BRIDGE)
    again = await api.post("/v2/bridge_types", BRIDGE)
    changed = await api.send("PATCH", path, BRIDGE | {"url": "http://127.0.0.1:2/quotes/batch"})

    assert BRIDGE["url"] == made.data["attributes"]["url"]
    assert (400, f"Bridge Type {BRIDGE['name']} already exists") == (again.status, again.text)
    assert "http://127.0.0.1:2/quotes/batch" == changed.data["attributes"]["url"]
    assert {BRIDGE["name"]} == await ids(api, "/v2/bridge_types")
    assert 200 == (await api.delete(path)).status
    assert (404, 404) == ((await api.get(path)).status, (await api.delete(path)).status)


async def test_a_job_is_made_listed_and_deleted(node: NodeUnderTest, ready: Rest) -> None:
    """The operator's job is what the node answers of it, by either id, and keeps its bridge, until it is deleted."""
    spec = job_of(node, "BTC / USD", 1)
    made = (await ready.post("/v2/jobs", {"toml": spec.toml()})).data
    by_number, by_id = [
        (await ready.get(f"/v2/jobs/{key}")).data for key in (made["id"], made["attributes"]["externalJobID"])
    ]

    assert made["id"] == by_number["id"] == by_id["id"]
    assert () == spec.differences(by_id["attributes"])
    assert 409 == (await ready.delete(f"/v2/bridge_types/{feed_jobs.BRIDGE_NAME}")).status
    assert 204 == (await ready.delete(f"/v2/jobs/{made['id']}")).status
    assert (404, 404) == (
        (await ready.get(f"/v2/jobs/{made['id']}")).status,
        (await ready.delete(f"/v2/jobs/{made['id']}")).status,
    )


async def test_what_cannot_run_is_refused(node: NodeUnderTest, ready: Rest) -> None:
    """A job without its bridge, its key or sense is refused; so is a second one of a contract, or of a name."""
    spec = job_of(node, "BTC / USD", 1)
    await make(ready, [spec.toml()])
    kept = set(await ready.jobs())
    other = spec.toml().replace(str(spec.external_job_id), str(uuid.uuid4()))
    refused = {
        "no bridge": (other.replace(feed_jobs.BRIDGE_NAME, "no-such").replace(address(1), address(2)), 500),
        "another's bundle": (other.replace(str(spec.key_bundle_id), "ab" * 32), 400),
        "another's account": (other.replace(str(spec.transmitter_address), address(9)), 400),
        "its contract": (other.replace('name = "BTC / USD"', 'name = "another"'), 500),
        "its name": (other.replace(address(1), address(2)), 500),
        "no TOML": ("type = ", 422),
        "no type": (other.replace("offchainreporting", "offchainreading"), 422),
    }
    found = {what: (await ready.post("/v2/jobs", {"toml": text})).status for what, (text, _) in refused.items()}

    assert {what: status for what, (_, status) in refused.items()} == found
    assert kept == set(await ready.jobs())


async def test_jobs_of_existing_templates(node: NodeUnderTest, ready: Rest) -> None:
    """All templates' shapes are taken, are listed, and can be deleted; of our own node each fifteenth is tried here."""
    ocr, identity = node.prepared.identity.ocr, node.prepared.identity
    assert ocr is not None
    feeds = FEEDS if node.runtime == "chainlink" else FEEDS[::15]
    texts = []
    for number, feed in enumerate(feeds, start=100):
        values = JobValues(
            address(number),
            node.config.chain.chain_id,
            False,
            identity.peer_id,
            node.bootstrappers,
            ocr.bundle_id,
            identity.transmitter_address,
            node.config.ports.aggregator,
        )
        texts.append(filled(of(feed), values))
    await make(ready, texts)

    assert {feed["name"] for feed in feeds} == {job["attributes"]["name"] for job in (await ready.jobs()).values()}
    await delete_all(ready)
    assert {} == await ready.jobs()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGKILL, -signal.SIGKILL)])
async def test_jobs_and_keys_outlive_its_process(node: NodeUnderTest, number: signal.Signals, code: int) -> None:
    """After an ordered end, or none, a node has the same keys, the same bridge and the same jobs."""
    async with rest.logged_in(node) as api:
        if node.prepared.identity.ocr is not None:
            bundles = await ids(api, "/v2/keys/ocr")
            if node.prepared.identity.ocr.bundle_id not in bundles:
                await import_bundle(node, api)
        assert 200 == (await api.post("/v2/bridge_types", BRIDGE)).status
        await make(api, (job_of(node, feed, at).toml() for at, feed in enumerate(("BTC / USD", "ETH / USD"), 1)))
        before = await _kept(api)
    assert code == node.end(number)
    node.start()

    async with rest.logged_in(node) as api:
        assert before == await _kept(api)
        await delete_all(api)


async def _kept(api: Rest) -> dict[str, object]:
    lists = ("/v2/keys/evm", "/v2/keys/p2p", "/v2/keys/ocr", "/v2/bridge_types")
    jobs = {key: (job["id"], job["attributes"]["name"]) for key, job in (await api.jobs()).items()}
    return {"jobs": jobs} | {path: await ids(api, path) for path in lists}


async def test_jobs_of_ocr2(node: NodeUnderTest, ready: Rest) -> None:
    """Chainlink's program takes OCR2 bundles, and jobs as the operator makes them; ours says that it has no OCR2."""
    bundle, chain_id = Ocr2KeyBundle.generate(), node.config.chain.chain_id
    keys = OcrIdentity.of(bundle)
    identity = replace(node.prepared.identity, ocr2=keys)
    oracle = ocr2_jobs.oracle_job(
        "BTC / USD", 8, chain_id, address(1), identity, node.bootstrappers, 1000, config_block=1
    )
    bootstrap = ocr2_jobs.bootstrap_job("ETH / USD", chain_id, address(2), identity, config_block=1)
    if node.runtime == "embedded":
        refused = [await ready.post("/v2/jobs", {"toml": spec.toml()}) for spec in (oracle, bootstrap)]
        assert [
            (501, "The Offchain Reporting 2 feature is disabled by configuration"),
            (500, "job type 'bootstrap' has not been registered with the job.Spawner"),
        ] == [(answer.status, answer.text) for answer in refused]
        assert {} == await ready.jobs()
        return
    for _ in range(2):
        imported = await ready.post("/v2/keys/ocr2/import", bundle.export("a-password", 2), oldpassword="a-password")
        assert bundle.id == imported.data["id"]
    (listed,) = [key for key in (await ready.get("/v2/keys/ocr2")).data if key["id"] == bundle.id]
    public = bundle.public()
    assert f"ocr2on_evm_{public['onchainPublicKey']}" == listed["attributes"]["onchainPublicKey"]
    assert f"ocr2off_evm_{public['offchainPublicKey']}" == listed["attributes"]["offchainPublicKey"]
    assert f"ocr2cfg_evm_{public['configPublicKey']}" == listed["attributes"]["configPublicKey"]
    await make(ready, (oracle.toml(), bootstrap.toml()))
    found = await ready.jobs()
    for spec in (oracle, bootstrap):
        attributes = found[spec.external_job_id]["attributes"]
        assert () == spec.differences(attributes)
        assert feed_jobs.is_ours(attributes, identity.name)

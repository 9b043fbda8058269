"""The node's database."""

import asyncio
import json
import signal
import uuid
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chainlink.contract.aggregator import RoundRequested, TransmissionDetails
from chainlink.ocr.contract_config import ContractConfig
from meshkit.clock import ManualClock
from services.oracle.chain.contract_state import ContractState
from services.oracle.chain.transactions.fee_bumping import Fees
from services.oracle.chain.transactions.in_flight import Attempt, Flight
from services.oracle.errors import DatabaseUnavailable, JobRefused, SettingInvalid
from services.oracle.ocr.state import PacemakerState, PendingTransmission, SignedRound
from services.oracle.p2p.address import Address
from services.oracle.p2p.discovery.announcement import Announcement
from services.oracle.p2p.identity import PeerKey
from services.oracle.pipeline.record import PipelineRun, TaskRun
from services.oracle.store.announcements import AnnouncementStore
from services.oracle.store.bridge_answers import BridgeAnswerStore
from services.oracle.store.contracts import ContractConfigStore, ContractStateStore
from services.oracle.store.database import SCHEMA, Database, storable
from services.oracle.store.jobs import JobStore
from services.oracle.store.last_observations import LastObservation, LastObservationStore
from services.oracle.store.migrations import migrate
from services.oracle.store.protocol import PostgresProtocolStore
from services.oracle.store.runs import RunStore
from services.oracle.store.transactions import TransactionLog, TransactionStore
from services.oracle.store.users import UserStore
from tests.dbinit.server import Server

DIGEST = bytes(range(16))


@pytest.fixture(name="protocol")
async def _protocol(database: Database) -> PostgresProtocolStore:
    """Give the protocol's store."""
    return PostgresProtocolStore(database)


async def test_migrations_happen_once(database: Database) -> None:
    """Migrating again changes nothing, and a database of a newer program is refused."""
    version = await migrate(database)
    assert version == await migrate(database)
    await database.execute("INSERT INTO schema_versions (version) VALUES (9999)")

    with pytest.raises(SettingInvalid, match="version 9999"):
        await migrate(database)


async def test_tables_of_earlier_versions_are_taken_over(database: Database) -> None:
    """Tables that were in `public` are moved with all that is in them, past what Chainlink's node has left there."""
    users = UserStore(database)
    await users.ensure_admin("a@example.org", "a-password-of-some-length")
    before = await _tables(database, SCHEMA)
    for name in await _tables(database, SCHEMA):
        await database.execute(f'ALTER TABLE "{name}" SET SCHEMA public')
    await database.execute("CREATE TABLE public.goose_migrations (id integer)")
    await migrate(database)

    assert await users.any()
    assert before == await _tables(database, SCHEMA)
    assert ["goose_migrations"] == await _tables(database, "public")


async def _tables(database: Database, schema: str) -> list[str]:
    found = await database.fetch("SELECT tablename FROM pg_tables WHERE schemaname = $1 ORDER BY 1", schema)
    return [row["tablename"] for row in found]


async def test_pacemaker_state(protocol: PostgresProtocolStore) -> None:
    """The newest state of a digest is kept, and other digests have none."""
    await protocol.save_pacemaker(DIGEST, PacemakerState(1, 2, (0, 1, 2, 3)))
    await protocol.save_pacemaker(DIGEST, PacemakerState(2**32 - 1, 2**32 - 1, (0, 1, 2, 2**32 - 1)))

    assert PacemakerState(2**32 - 1, 2**32 - 1, (0, 1, 2, 2**32 - 1)) == await protocol.load_pacemaker(DIGEST)
    assert await protocol.load_pacemaker(bytes(16)) is None


async def test_signed_rounds_only_rise(protocol: PostgresProtocolStore) -> None:
    """A late write of a lower round cannot undo a higher one, so no round is ever signed twice."""
    for epoch, round_number in ((3, 2), (3, 1), (2, 200)):
        await protocol.save_signed_round(DIGEST, SignedRound(epoch, round_number))

    assert SignedRound(3, 2) == await protocol.load_signed_round(DIGEST)


async def test_pending_transmissions(protocol: PostgresProtocolStore) -> None:
    """Pending transmissions come back as they were, with the largest answers there can be, until they are deleted."""
    held = [
        PendingTransmission(1, r, 1000 * r, median, b"report", (b"r" * 32,) * 2, (b"s" * 32,) * 2, b"v" * 32)
        for r, median in ((1, 2**191 - 1), (2, -(2**191)), (3, 0))
    ]
    for item in (*held, held[0]):
        await protocol.save_pending(DIGEST, item)
    assert held == sorted(await protocol.load_pending(DIGEST), key=lambda item: item.round)
    await protocol.delete_pending(DIGEST, 1, 2)
    await protocol.delete_pending(DIGEST, 7, 7)
    await protocol.delete_pending_before(2000)

    assert [held[2]] == await protocol.load_pending(DIGEST)


async def test_contract_configs(database: Database) -> None:
    """The last configuration of a contract keeps its digest."""
    store = ContractConfigStore(database)
    address = "0x" + "00" * 19 + "C0"
    config = ContractConfig(address, 2**40, (address,), (address,), 1, 1, bytes(1248))
    await store.save(1337, ContractConfig(address, 1, (), (), 0, 1, b""), 5)
    await store.save(1337, config, 2**32 - 1)

    found = await store.load(address, 1337)
    assert found is not None
    assert config.digest() == found.digest()
    assert await store.load(address, 1) is None


async def test_contract_states(database: Database) -> None:
    """The last state of a contract is kept, with the largest numbers there can be."""
    details = TransmissionDetails(DIGEST, 2**32 - 1, 255, -(2**191), 2**63 - 1)
    signed = TransmissionDetails(DIGEST[::-1], 2**32 - 2, 254, 2**191 - 1, 2**63 - 2)
    state = ContractState(details, 2**40, RoundRequested(DIGEST, 2**32 - 1, 255), signed)
    store = ContractStateStore(database)
    assert await store.load("0xC0", 1337) is None
    store.note("0xC0", 1337, ContractState(details, 1))
    store.note("0xC1", 1337, ContractState(details, 1))
    assert ContractState(details, 1) == await store.load("0xC0", 1337)
    store.note("0xC0", 1337, state)
    await store.flush()

    again = ContractStateStore(database)
    assert state == await again.load("0xC0", 1337)
    assert ContractState(details, 1) == await again.load("0xC1", 1337)
    assert await again.load("0xC0", 1) is None


async def test_a_contract_state_that_could_not_be_written(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is written by the next flush that can."""
    details = TransmissionDetails(DIGEST, 1, 1, 1, 1)
    store = ContractStateStore(database)

    async def refuse(sql: str, rows: object) -> None:
        raise DatabaseUnavailable("away")

    with monkeypatch.context() as patched:
        patched.setattr(database, "execute_many", refuse)
        store.note("0xC0", 1337, ContractState(details, 7))
        with pytest.raises(DatabaseUnavailable):
            await store.flush()
    assert await ContractStateStore(database).load("0xC0", 1337) is None
    await store.flush()

    assert ContractState(details, 7) == await ContractStateStore(database).load("0xC0", 1337)


async def test_duplicate_jobs(database: Database) -> None:
    """A second job of a contract, a name or an external id is refused in the node's own words."""
    store = JobStore(database)
    first = uuid.uuid4()
    job = await store.create(first, "BTC / USD", ("0xC0", 1337), "toml", None)
    for external, name, contract, words in (
        (uuid.uuid4(), "other", "0xC0", "a job with contract address 0xC0 already exists for chain ID 1337"),
        (uuid.uuid4(), "BTC / USD", "0xC1", r'failed to insert job: ERROR: .*"idx_jobs_name" \(SQLSTATE 23505\)'),
        (first, "third", "0xC2", r'failed to insert job: ERROR: .*"external_job_id_uniq" \(SQLSTATE 23505\)'),
        (uuid.uuid4(), "n" * 256, "0xC4", r"value too long for type character varying\(255\) \(SQLSTATE 22001\)"),
        (first, "BTC / USD", "0xC0", "a job with contract address 0xC0 already exists for chain ID 1337"),
    ):
        with pytest.raises(JobRefused, match=words):
            await store.create(external, name, (contract, 1337), "toml", None)
    await store.create(uuid.uuid4(), None, ("0xC3", 1337), "toml", 77)

    await store.record_error(job.id, "went wrong")
    await store.record_error(job.id, "went wrong")
    await store.record_error(4711, "no such job")
    assert [("went wrong", 2)] == [
        (error.description, error.occurrences) for error in (await store.errors([job.id]))[job.id]
    ]
    assert {job.id, 77} == {stored.id for stored, _ in await store.all()}
    assert await store.delete(job.id)
    assert not await store.delete(job.id)


async def test_last_answers(database: Database) -> None:
    """Answers are written together, and one of a job that is gone is left out."""
    jobs, answers = JobStore(database), LastObservationStore(database)
    job = await jobs.create(uuid.uuid4(), None, ("0xC0", 1337), "toml", None)
    for job_id, answer in ((job.id, 1), (job.id, 2**191 - 1), (4711, 3)):
        answers.note(job_id, LastObservation(answer, 1755520000))
    await answers.flush()

    assert LastObservation(2**191 - 1, 1755520000) == await LastObservationStore(database).load(job.id)
    assert await answers.load(4711) is None


async def test_users_and_sessions(database: Database) -> None:
    """The first administrator stays, only the password logs in, and a session ends by time or by logging out."""
    users = UserStore(database)
    await users.ensure_admin("a@b.c", "the-first-password")
    await users.ensure_admin("a@b.c", "the-second-password")

    assert not await users.is_right("a@b.c", "the-second-password")
    assert not await users.is_right("x@b.c", "the-first-password")
    assert await users.is_right("A@B.C", "the-first-password")
    token = await users.open_session("A@B.C")
    assert "a@b.c" == await users.session(token, 60)
    assert await users.session(token + "x", 60) is None
    assert await users.session(token, 0) is None
    await users.logout(token)
    assert await users.session(token, 60) is None


async def test_transactions(database: Database) -> None:
    """What is not settled is found again with all its attempts, lowest nonce first, and written once."""
    store = TransactionStore(database, 1337)
    flights = [
        Flight(uuid.uuid4(), "0xB", b"data", 21_000, n, (Attempt(f"0x{n}", Fees(10**20, n), b"raw"),))
        for n in (2, 0, 1)
    ]
    for flight in flights:
        await store.begin("0xA", flight)
        await store.begin("0xA", flight)
    bumped = replace(flights[2], attempts=(*flights[2].attempts, Attempt("0x1+", Fees(2 * 10**20), b"more")))
    await store.attempt(bumped)
    await store.settle(flights[1], "confirmed", "0x0", 5)
    assert [bumped, flights[0]] == await store.under_way("0xA")
    assert [] == await TransactionStore(database, 1).under_way("0xA")

    shown = TransactionLog(database)
    sent, count = await shown.transactions(0, 10)
    assert 3 == count
    assert {("confirmed", "0x0", 5), ("unconfirmed", "0x1+", None), ("unconfirmed", "0x2", None)} == {
        (attempt.state, attempt.hash, attempt.block) for attempt in sent
    }
    attempts, count = await shown.attempts(1, 2)
    assert (4, 2) == (count, len(attempts))
    last = await shown.attempt("0x1+")
    assert last is not None
    assert (2 * 10**20, "0xA", b"more") == (last.price_wei, last.from_address, last.raw)
    assert await shown.attempt("0x3") is None
    await store.prune(0)
    await store.drop(flights[0])
    assert [bumped] == await store.under_way("0xA")


async def test_runs(database: Database) -> None:
    """Of each job as many good runs are kept as wanted, and none for 0; what comes too fast is counted."""
    job = await JobStore(database).create(uuid.uuid4(), None, None, "", None)
    store = RunStore(database, 2)
    for i in range(4):
        store.note(_run(job.id, i, str(i)))
        await store.flush()
    store.note(_run(job.id, 5, "5"))
    store.note(_run(job.id, 6, "6"))
    store.note(_run(job.id + 1, 6, "6"))
    assert ["6", "3"] == [run.outputs[0] for run in (await store.of_job(job.id, 0, 10))[0]]
    assert 1 == store.dropped

    # The answer of a feed with many decimals is longer than 64 bits.
    inputs = {"jobRun": {"meta": {"latestAnswer": 10**30}}}
    store.note(replace(_run(job.id, 7, "7"), inputs=json.dumps(inputs)))
    assert [inputs, {}] == [json.loads(run.inputs) for run in (await store.of_job(job.id, 0, 10))[0]]

    none = RunStore(database, 0)
    none.note(_run(job.id, 7, "7"))
    none.note(replace(_run(job.id, 8, None), fatal_errors=("error",)))
    assert ["error", None, None] == [run.fatal_errors[0] for run in (await none.of_job(None, 0, 10))[0]]


def _run(job_id: int, at_ms: int, output: str | None) -> PipelineRun:
    return PipelineRun(job_id, at_ms, at_ms, "{}", (output,), (None,), ())


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(st.characters(codec=None), max_size=20))
async def test_any_text_is_storable(database: Database, text: str) -> None:
    """Texts from outside, with NUL or half a surrogate pair in them too, are written and read again."""
    job = await JobStore(database).create(uuid.uuid4(), None, None, text, None)
    await JobStore(database).record_error(job.id, text)
    store = RunStore(database, 2)
    task = TaskRun("a", "bridge", 1, 2, text, text)
    store.note(replace(_run(job.id, 1, text), inputs=json.dumps({text: text}), tasks=(task,)))

    (run,), _ = await store.of_job(job.id, 0, 10)
    kept = storable(text)
    assert [kept] == [error.description for error in (await JobStore(database).errors([job.id]))[job.id]]
    assert ((kept,), [(kept, kept)]) == (run.outputs, [(task.output, task.error) for task in run.tasks or ()])


async def test_bridge_answers(database: Database) -> None:
    """The last answers of a job's bridges outlive a restart, and end with their job."""
    jobs, clock = JobStore(database), ManualClock(1_000_000)
    one, other = [await jobs.create(uuid.uuid4(), None, None, "", None) for i in range(2)]
    store = BridgeAnswerStore(database, clock)
    store.of(one.id).remember("x", b"request", "64000")
    store.of(other.id).remember("x", b"request", "\0 3400")
    store.of(other.id + 1).remember("x", b"request", "of nobody")
    await store.flush()
    store.of(one.id).remember("x", b"request", "64001")
    await store.flush()

    again = BridgeAnswerStore(database, clock)
    await again.load()
    assert "64001" == again.of(one.id).recall("x", b"request", 1)
    assert "\ufffd 3400" == again.of(other.id).recall("x", b"request", 1)
    assert again.of(other.id + 1).recall("x", b"request", 1) is None
    await jobs.delete(one.id)
    again.forget(one.id)
    assert again.of(one.id).recall("x", b"request", 1) is None
    await again.load()
    assert again.of(one.id).recall("x", b"request", 1) is None
    assert again.of(other.id).recall("x", b"request", 1) is not None


async def test_announcements(database: Database) -> None:
    """Of each peer the newest announcement comes back, verified; one whose bytes were changed does not."""
    key, place = PeerKey.from_bytes(bytes(range(32))), Address.parse("127.0.0.1:1")
    older, newer = (Announcement.sign(key, [place], counter) for counter in (7, 2**64 - 1))
    store = AnnouncementStore(database)
    for announcement in (newer, older):
        store.note([announcement])
        await store.flush()
    assert [newer] == await store.load()
    await database.execute("UPDATE announcements SET message = $1", older.to_proto().SerializeToString()[:-1] + b"x")
    assert [] == await store.load()


async def test_a_killed_server(postgres: Server, database: Database) -> None:
    """While the server is away a statement waits for it, and goes through once it is back; a deadline ends the wait."""
    postgres.stop(signal.SIGQUIT)
    with pytest.raises(DatabaseUnavailable, match="does not answer"):
        await database.ping()
    sql = "INSERT INTO signed_rounds VALUES ($1, 1, 1) ON CONFLICT DO NOTHING"
    waiting = asyncio.create_task(database.execute_durably(sql, DIGEST))
    await asyncio.sleep(0.3)
    assert not waiting.done()
    postgres.start()
    await waiting

    assert 1 == len(await database.fetch("SELECT * FROM signed_rounds"))


async def test_no_server() -> None:
    """Connecting to nothing ends with an error after its deadline."""
    with pytest.raises(DatabaseUnavailable, match=r"within 0\.5 s"):
        async with Database.connect("postgresql://x:y@127.0.0.1:1/z", max_connections=1, deadline_s=0.5):
            pass

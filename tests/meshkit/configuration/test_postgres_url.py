"""URLs of PostgreSQL servers: what is taken apart comes together again, and what is not safe is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshkit.configuration.postgres_url import PostgresUrl

VERIFIED = "sslmode=verify-full&sslrootcert=/etc/ca.crt"
TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), min_size=1, max_size=20)


@given(TEXTS, TEXTS, TEXTS)
def test_another_users_url_reads_back(user: str, password: str, database: str) -> None:
    """Whatever characters user, password and database have, the URL made of them says the same."""
    server = PostgresUrl.parse(f"postgresql://root:secret@db.example:6432/postgres?{VERIFIED}")
    again = PostgresUrl.parse(server.of(user, password, database))
    assert (user, password, database) == (again.user, again.password, again.database)
    assert ("db.example", 6432, VERIFIED) == (again.host, again.port, again.query)


def test_defaults() -> None:
    """Without them the port is 5432 and the database the user's, as libpq has it."""
    found = PostgresUrl.parse("postgres://root:secret@127.0.0.1")
    assert (5432, "root") == (found.port, found.database)
    assert found.to("postgres") == "postgresql://root:secret@127.0.0.1:5432/postgres"
    assert PostgresUrl.parse("postgres://root:secret@[::1]").to("a") == "postgresql://root:secret@[::1]:5432/a"


@pytest.mark.parametrize(
    "query", ["", "?sslmode=disable", "?sslmode=prefer&sslrootcert=/ca", "?sslmode=require", "?sslmode=verify-full"]
)
def test_beyond_loopback_the_server_must_be_verified(query: str) -> None:
    """A server elsewhere without a verified certificate is refused; over loopback it is not."""
    with pytest.raises(ValueError, match="allowed: sslmode=verify-full or verify-ca, with sslrootcert"):
        PostgresUrl.parse(f"postgresql://root:secret@db.example/postgres{query}")
    assert PostgresUrl.parse(f"postgresql://root:secret@localhost/postgres{query}").host == "localhost"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "mysql://root:hunter2@db",
        "postgresql://db.example/postgres",
        "postgresql://root@db.example",
        "postgresql://root:hunter2@/postgres",
        "postgresql://root:hunter2@db:port/postgres",
        "postgresql://root:hunter2@db:99999/postgres",
        "postgresql://root:hunter2@[db/postgres",
        "postgresql://root:hunter2@db/postgres?sslmode",
    ],
)
def test_what_is_no_url_is_refused_without_a_word_of_the_password(text: str) -> None:
    """A broken URL is refused with what is allowed, and its password is not in the error."""
    with pytest.raises(ValueError, match="allowed: postgresql://") as refused:
        PostgresUrl.parse(text)
    assert "hunter2" not in str(refused.value)

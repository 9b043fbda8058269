"""Whatever a caller sends, a node answers, and calls nothing a fault of its own."""

import asyncio
import http.client
import json
from collections.abc import Mapping
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.oracle.network import API_PASSWORD, EMAIL, bootstrap_job
from tests.oracle.rest.conftest import Api

pytestmark = pytest.mark.asyncio(loop_scope="module")
_CONTRACT = "0xb2120143da57569d36558B36A532E3a96F5e43b3"
_KEYS = ("evm", "p2p", "ocr", "ocr2", "csa")
# "%" stands for anything.
_ROUTES = (
    ("POST", "/sessions"),
    ("DELETE", "/sessions"),
    *((method, "/v2/bridge_types") for method in ("GET", "POST")),
    *((method, "/v2/bridge_types/%") for method in ("GET", "PATCH", "DELETE")),
    *((method, "/v2/jobs") for method in ("GET", "POST")),
    *((method, "/v2/jobs/%") for method in ("GET", "PUT", "DELETE")),
    *((method, "/v2/jobs/%/runs") for method in ("GET", "POST")),
    ("GET", "/v2/jobs/%/runs/%"),
    ("GET", "/v2/pipeline/runs"),
    *(("GET", f"/v2/{path}") for path in ("config", "features", "log", "users", "external_initiators", "tx_attempts")),
    *(("GET", f"/v2/{path}") for path in ("transactions/%", "chains/%", "chains/%/%", "chains/%/%/nodes", "nodes/%")),
    ("POST", "/v2/keys/evm/chain"),
    ("PATCH", "/v2/resume/%"),
    ("PATCH", "/v2/log"),
    ("DELETE", "/v2/pipeline/job_spec_errors/%"),
    *((method, f"/v2/keys/{kind}") for method in ("GET", "POST") for kind in _KEYS),
    *(("DELETE", f"/v2/keys/{kind}/%") for kind in _KEYS),
    *(("POST", f"/v2/keys/{kind}/import") for kind in _KEYS),
    *(("POST", f"/v2/keys/{kind}/export/%") for kind in _KEYS),
    ("GET", "/health"),
    ("GET", "/readyz"),
    ("GET", "/metrics"),
    ("GET", "/v2/ping"),
    ("GET", "/v2/%"),
)
# Where the real node itself answers 500 to what a caller did.
_NODES_OWN_500 = ("/v2/keys/", "/v2/jobs", "/v2/chains/", "/v2/resume/")
_texts = st.text(max_size=30) | st.sampled_from(
    ["\0", "\ud800", "٣", "x" * 5000, "9" * 5000, "-1", "1", "0", "NaN", "a\r\nb", "..", "<{}>", "true"]
)
_numbers = st.integers() | st.floats() | st.sampled_from([2**31, 2**63, 2**64, 10**400, -1, 1e308])
_values = st.recursive(
    st.none() | st.booleans() | _texts | _numbers,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_texts, inner, max_size=3),
    max_leaves=6,
)
_FIELDS = (
    *("email", "password", "name", "url", "confirmations", "minimumContractPayment", "toml"),
    *("level", "sqlEnabled", "crypto", "id", "keyType", "address", "version", "publicKey", "peerID", "Crypto", "ID"),
)
_toml = st.sampled_from(
    [
        *("a=" + "[" * 100_000, ".".join(["a"] * 20_000) + "=1", "a = '\0'", 'a = "\\u0000"', "=" * 100_000),
        *("a={" * 50_000, "[" + "a." * 30_000 + "a]", "x = 9" + "9" * 10_000, "[[" * 50_000, "'" * 100_001),
        *(bootstrap_job(_CONTRACT).replace('"1337"', text) for text in ('"٣"', '"1' + "0" * 5000 + '"', "[[1]]", "-1")),
        *(bootstrap_job(_CONTRACT) + line for line in ('externalJobID = "٣"\n', "maxTaskDuration = '٣s'\n")),
        bootstrap_job(_CONTRACT).replace("bootstrap BTC / USD", "\\u0000"),
        bootstrap_job(_CONTRACT).replace("bootstrap BTC / USD", "n" * 70_000),
    ]
)
_documents = st.fixed_dictionaries(
    {}, optional={field: (_toml if field == "toml" else st.nothing()) | _values for field in _FIELDS}
)
_LONG_NUMBER = b'{"name":"x","url":"http://x","confirmations":' + b"9" * 100_000 + b"}"
_bodies = (
    st.binary(max_size=60)
    | st.sampled_from(
        [b"", b"[" * 100_000, b'{"a":' * 100_000, b'"\\ud800"', b"1" * 100_000, b"\xff" * 50_000, _LONG_NUMBER]
    )
    | (_documents | _values).map(lambda value: json.dumps(value).encode())
)
_queries = st.dictionaries(
    st.sampled_from(
        ["page", "size", "evmChainID", "userOnly", "enabled", "oldpassword", "newpassword", "full", "failing"]
    )
    | _texts,
    _texts,
    max_size=3,
)
_headers = st.dictionaries(
    st.sampled_from(["Authorization", "Accept", "Content-Type", "Content-Encoding", "Cookie"]),
    st.sampled_from(["text/plain", "gzip", "application/json; charset=utf-99", "\xff\xfe", "Bearer \xe9", "a=b; ;=;="]),
    max_size=2,
)


def _ask(port: int, method: str, path: str, body: bytes, headers: Mapping[str, str]) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request(method, path, body, dict(headers))
        response = connection.getresponse()
        return response.status, response.read().decode()
    finally:
        connection.close()


def _quoted(text: str) -> str:
    return quote(text.encode("utf-8", "surrogatepass")[:3000], safe="")


@pytest.mark.parametrize(
    "rest",
    [
        "Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n",
        "Transfer-Encoding: chunked\r\n\r\n5\r\n{}\r\n0\r\n\r\n",
        "Transfer-Encoding: chunked\r\n\r\nffffffffffffffffffff\r\n{}",
        "Transfer-Encoding: chunked, gzip\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        "Content-Encoding: deflate\r\nContent-Length: 2\r\n\r\n{}",
        "Content-Length: 100\r\n\r\n{}",
        "Content-Length: -1\r\n\r\n{}",
        "Content-Length: ٣\r\n\r\n{}",
        "Content-Length: 100\r\n\r\n",
        "Cookie: a\0b\r\n\r\n",
    ],
)
async def test_broken_bodies(api: Api, rest: str) -> None:
    """A body that is not what its head says, or whose sender hangs up, is a fault of the sender and of no one else."""
    reader, writer = await asyncio.open_connection("127.0.0.1", api.node.api_port)
    writer.write(f"POST /sessions HTTP/1.1\r\nHost: x\r\n{rest}".encode())
    writer.write_eof()
    answer = await asyncio.wait_for(reader.read(), 60)
    writer.close()

    assert answer == b"" or answer.startswith((b"HTTP/1.1 4", b"HTTP/1.0 4")), answer
    assert 200 == (await api.call("GET", "/v2/ping"))[0]
    assert "request_failed" not in api.node.log.read_text()


async def test_any_request_is_answered(api: Api) -> None:
    """No route answers an unforeseen fault to anything in its path, query, headers or body; the node runs on."""
    token = next(cookie.value for cookie in api.http.cookie_jar if cookie.key == "clsession")
    cookie = {"Cookie": f"clsession={token}"}

    @given(st.sampled_from(_ROUTES), st.tuples(_texts, _texts), _queries, _headers, _bodies)
    @settings(max_examples=600, deadline=None, suppress_health_check=list(HealthCheck))
    def ask(
        route: tuple[str, str],
        parts: tuple[str, str],
        query: Mapping[str, str],
        headers: Mapping[str, str],
        body: bytes,
    ) -> None:
        method, path = route
        for part in parts:
            path = path.replace("%", _quoted(part).replace("%", "\n") or "x", 1)
        path = path.replace("\n", "%")
        target = f"{path}?{'&'.join(f'{_quoted(name)}={_quoted(value)}' for name, value in query.items())}"
        status, text = _ask(api.node.api_port, method, target, body, cookie | dict(headers))
        if status >= 500:
            assert "internal error" not in text, (method, target, body[:200])
            assert 500 == status
            assert target.startswith(_NODES_OWN_500), text

    await asyncio.to_thread(ask)
    document = json.dumps({"email": EMAIL, "password": API_PASSWORD}).encode()
    assert 200 == _ask(api.node.api_port, "POST", "/sessions", document, {})[0]
    assert "request_failed" not in api.node.log.read_text()

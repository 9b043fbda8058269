"""The OpenAPI document against the service that it describes."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from aiohttp import web
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel
from yarl import URL

from services.aggregator import answers, openapi
from services.aggregator.bridge import BridgeRequest
from tests.aggregator.serving import Serving, serving

_METHODS = {"get", "post", "put", "patch", "delete"}


@pytest.fixture(name="runner", scope="module")
def _runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


@pytest.fixture(name="server", scope="module")
def _server(runner: asyncio.Runner) -> Iterator[Serving]:
    context = serving()
    yield runner.run(context.__aenter__())
    runner.run(context.__aexit__(None, None, None))


@pytest.fixture(name="document", scope="module")
def _document(runner: asyncio.Runner, server: Serving) -> dict[str, Any]:
    status, document = runner.run(server.ask("GET", "/openapi.json"))
    assert 200 == status
    return dict(document)


def _operations(document: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    return [(path, method, item[method]) for path, item in document["paths"].items() for method in _METHODS & set(item)]


def _references(value: object) -> set[str]:
    if isinstance(value, dict):
        found = {value["$ref"]} if isinstance(value.get("$ref"), str) else set()
        return found.union(*map(_references, value.values()))
    return set().union(*map(_references, value)) if isinstance(value, list) else set()


def _check(document: dict[str, Any], operation: dict[str, Any], status: int, body: object) -> None:
    """Fail unless the document has this status for the operation, with this body."""
    assert str(status) in operation["responses"], (operation["summary"], status, body)
    content = operation["responses"][str(status)]["content"]
    if "text/plain" in content:
        assert isinstance(body, str)
        return
    name = content["application/json"]["schema"]["$ref"].rpartition("/")[2]
    model: type[BaseModel] = getattr(answers, name)
    model.model_validate(body)


def _strategy(schema: dict[str, Any]) -> st.SearchStrategy[str]:
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    assert "string" == schema["type"]
    right = st.from_regex(schema["pattern"].removeprefix("^").removesuffix("$"), fullmatch=True)
    return right.filter(lambda text: len(text) <= schema.get("maxLength", len(text)))


def _requests(
    document: dict[str, Any],
) -> st.SearchStrategy[tuple[str, str, dict[str, Any], dict[str, str], dict[str, str]]]:
    def values(operation: dict[str, Any], place: str) -> st.SearchStrategy[dict[str, str]]:
        right = {p["name"]: p for p in operation.get("parameters", ()) if p["in"] == place}
        # Path parts that are empty or dots are other paths.
        wild = st.text(min_size=1, max_size=60).filter(lambda text: text.strip("./"))
        known = {"base": st.just("BTC"), "quote": st.just("USD"), "pairs": st.just("BTC-USD,ETH-USD")}
        each = {
            name: known.get(name, st.just("kraken")) | _strategy(parameter["schema"]) | wild
            for name, parameter in right.items()
        }
        required = {name: each[name] for name in each if right[name]["required"] and place == "path"}
        return st.fixed_dictionaries(required, optional={name: each[name] for name in each if name not in required})

    return st.sampled_from(_operations(document)).flatmap(
        lambda item: st.tuples(
            st.just(item[0]), st.just(item[1]), st.just(item[2]), values(item[2], "path"), values(item[2], "query")
        )
    )


_BODIES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["data", "id", "meta", "pair", "pairs", "feed", "base", "quote", "from", "to", "decimals", "x"]
            ),
            st.sampled_from(["BTC/USD", "BTC / USD", "BTC", ["BTC-USD", "NO-PE"], 8, {"pair": "BTC/USD"}]) | inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


def test_every_mounted_route_is_described(document: dict[str, Any]) -> None:
    """The document has the routes there are, and those that deployments call among them."""
    described = {(method.upper(), path) for path, method, _ in _operations(document)}

    assert described == set(openapi.OPERATIONS)
    assert {("GET", "/quote/{source}/{base}/{quote}"), ("POST", "/quotes/batch")} < described


def test_a_route_that_nobody_described_stops_the_start() -> None:
    """The document cannot lag behind the service."""
    app = web.Application()

    async def new(_request: web.Request) -> web.Response:
        return web.Response()

    app.router.add_get("/new", new)
    with pytest.raises(KeyError, match="/new"):
        openapi.mount(app)


def test_the_document_is_whole(document: dict[str, Any]) -> None:
    """Every reference leads to a schema, every operation has its own id, and every path parameter is described."""
    schemas = {f"#/components/schemas/{name}" for name in document["components"]["schemas"]}
    operations = _operations(document)
    ids = [operation["operationId"] for _, _, operation in operations]

    assert "3.1.0" == document["openapi"]
    assert _references(document) == schemas
    assert len(ids) == len(set(ids))
    for path, _, operation in operations:
        named = {each["name"] for each in operation.get("parameters", ()) if each["in"] == "path"}
        assert named == {part.strip("{}") for part in path.split("/") if part.startswith("{")}


def test_examples_are_valid_and_answered(runner: asyncio.Runner, server: Serving, document: dict[str, Any]) -> None:
    """What the document shows as a request is one, and gets 200."""
    shown = [
        (path, method, operation["requestBody"]["content"]["application/json"]["example"], operation)
        for path, method, operation in _operations(document)
        if "requestBody" in operation
    ]
    assert shown
    for path, method, example, operation in shown:
        BridgeRequest.model_validate(example)
        status, body = runner.run(server.ask(method.upper(), path, json=example))
        assert 200 == status
        _check(document, operation, status, body)


def test_known_values_are_answered_as_documented(
    runner: asyncio.Runner, server: Serving, document: dict[str, Any]
) -> None:
    """Every GET with values that the service knows is answered with a body that the document has."""
    for path, method, operation in _operations(document):
        if method == "get":
            asked = path.format(source="kraken", base="BTC", quote="USD")
            query = "?pairs=BTC-USD,NOPE-USD&sources=kraken,binance" if path == "/quotes/batch" else ""
            status, body = runner.run(server.ask("GET", asked + query))
            _check(document, operation, status, body)
            assert 200 == status or path in {"/health", "/ready", "/market-data/global"}


def test_answers_are_as_documented(runner: asyncio.Runner, server: Serving, document: dict[str, Any]) -> None:
    """Whatever is asked, well formed or not, the status is a documented one with its body, and never 500."""
    seen = set()

    @settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
    @given(request=_requests(document), body=_BODIES)
    def ask(request: tuple[str, str, dict[str, Any], dict[str, str], dict[str, str]], body: object) -> None:
        template, method, operation, parts, query = request
        url = URL(server.url)
        for part in template.split("/")[1:]:
            url = url / (parts[part.strip("{}")].replace("/", "|") if part.startswith("{") else part) if part else url
        options: dict[str, Any] = {"json": body} if method == "post" else {}

        async def go() -> tuple[int, Any]:
            async with server.session.request(method, url.with_query(query), **options) as response:
                text = await response.read()
                if response.content_type == "application/json":
                    return response.status, await response.json()
                return response.status, text.decode()

        status, said = runner.run(go())
        if template == "/quote/pairs/{source}" and parts["source"] == "all":
            return
        seen.add((template, status))
        _check(document, operation, status, said)

    ask()
    assert {200, 400, 404} <= {status for _, status in seen}

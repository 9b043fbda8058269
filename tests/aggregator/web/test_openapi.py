"""The OpenAPI document against the service that it describes."""

import asyncio
import sys
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from services.aggregator.web import openapi
from services.aggregator.web.parameters import PARAMETERS
from services.aggregator.web.quote_json import ALWAYS, FIELDS
from services.aggregator.web.schemas import BatchEntry
from tests.aggregator.serving import serving
from tests.waiting import until

_METHODS = {"get", "post", "put", "patch", "delete"}
_SEED = "7"
_EXAMPLES = "15"


async def _document() -> dict[str, Any]:
    async with serving() as server:
        status, document = await server.ask("GET", "/openapi.json")
    assert 200 == status
    return dict(document)


def _operations(document: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    return [(path, method, item[method]) for path, item in document["paths"].items() for method in _METHODS & set(item)]


def _references(value: object) -> set[str]:
    if isinstance(value, dict):
        found = {value["$ref"]} if isinstance(value.get("$ref"), str) else set()
        return found.union(*map(_references, value.values()))
    return set().union(*map(_references, value)) if isinstance(value, list) else set()


async def test_every_mounted_route_is_described() -> None:
    """The document has the routes there are, and those that deployments call among them."""
    described = {(method.upper(), path) for path, method, _ in _operations(await _document())}

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


async def test_the_document_is_whole() -> None:
    """Every reference leads to a schema, every operation has its own id, and every path parameter is described."""
    document = await _document()
    schemas = {f"#/components/schemas/{name}" for name in document["components"]["schemas"]}
    operations = _operations(document)
    ids = [operation["operationId"] for _, _, operation in operations]

    assert "3.1.0" == document["openapi"]
    assert _references(document) == schemas
    assert len(ids) == len(set(ids))
    for path, _, operation in operations:
        named = {each["name"] for each in operation.get("parameters", ()) if each["in"] == "path"}
        assert named == {part.strip("{}") for part in path.split("/") if part.startswith("{")}
    assert set(PARAMETERS) <= set(document["paths"])


def test_the_fields_to_choose_are_those_of_an_entry() -> None:
    """What `fields` offers is what an entry of the documented answer has."""
    model = {field.serialization_alias or name for name, field in BatchEntry.model_fields.items()}

    assert {*ALWAYS, *FIELDS} == model


@pytest.mark.timeout(300)
async def test_answers_are_as_documented(market: str, tmp_path: Path) -> None:
    """
    Whatever Schemathesis asks, in the document's terms or against them, gets an answer that the document has.

    With all its checks: no server error, documented status, content type and body, what the document allows accepted
    and what it forbids refused, other methods refused with those there are.
    """
    async with serving(f"{market}/coingecko") as server:
        server.market.start()
        await until(lambda: server.market.is_available, "figures")
        command = [
            str(Path(sys.executable).with_name("schemathesis")),
            "run",
            f"{server.url}/openapi.json",
            *("--checks", "all", "--phases", "examples,coverage,fuzzing", "--max-examples", _EXAMPLES),
            *("--seed", _SEED, "--generation-deterministic", "--no-color", "--wait-for-schema", "10"),
        ]
        process = await asyncio.create_subprocess_exec(
            *command, cwd=tmp_path, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
        )
        try:
            output, _ = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        _, metrics = await server.ask("GET", "/metrics")

    assert 0 == process.returncode, output.decode(errors="replace")
    for method, route in openapi.OPERATIONS:
        assert f'http_requests_total{{method="{method}",route="{route}",status="200"}}' in metrics

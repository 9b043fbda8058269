"""
Ask a service that runs alone whether it is well, again and again, and write that where `feedmesh-health` reads it.

The file is the one that a whole mesh writes, so one check serves as the probe of either.
"""

import asyncio
import time

import aiohttp
import grpc.aio
import orjson
from grpc_health.v1 import health_pb2

from cli.serve.served_service import GrpcQuestion, HttpQuestion, ServedService
from meshkit import atomic_file
from meshkit.http.failure_words import in_words
from meshkit.paths import RunDir
from meshkit.rpc.client import channel

_PERIOD_S = 5.0
_TIMEOUT_S = 4.0


async def publish(service: ServedService, run_dir: RunDir) -> None:
    """Ask and write until cancelled; a change is asked for soon, so that a start is known when it has happened."""
    while True:
        trouble = await ask(service.question)
        words = f"{service.name} is well" if trouble is None else f"{service.name} is not well: {trouble}"
        document = {
            "well": trouble is None,
            "words": words,
            "broken": [] if trouble is None else [words],
            "remarks": [],
            "time_ms": time.time_ns() // 1_000_000,
            "period_s": _PERIOD_S,
        }
        run_dir.verdict.parent.mkdir(mode=0o755, exist_ok=True)
        atomic_file.replace(run_dir.verdict, orjson.dumps(document), 0o644, durable=False)
        await asyncio.sleep(_PERIOD_S if trouble is None else _PERIOD_S / 5)


async def ask(question: HttpQuestion | GrpcQuestion) -> str | None:
    """Return what is wrong in words; None if nothing is."""
    return await (_ask_http(question) if isinstance(question, HttpQuestion) else _ask_grpc(question))


async def _ask_http(question: HttpQuestion) -> str | None:
    url = f"http://127.0.0.1:{question.port}{question.path}"
    try:
        timeout = aiohttp.ClientTimeout(total=_TIMEOUT_S)
        async with aiohttp.ClientSession(timeout=timeout) as session, session.get(url) as response:
            return None if response.status == 200 else f"{question.path} answers {response.status}"
    except TimeoutError:
        return f"{question.path} gives no answer within {_TIMEOUT_S:.0f} s"
    except (aiohttp.ClientError, OSError) as error:
        return f"{question.path} gives no answer ({in_words(error)})"


async def _ask_grpc(question: GrpcQuestion) -> str | None:
    if not question.socket.exists():
        return f"{question.socket.name} is not there"
    async with channel(question.socket, timeout_s=_TIMEOUT_S) as connection:
        check = connection.unary_unary(
            "/grpc.health.v1.Health/Check",
            request_serializer=health_pb2.HealthCheckRequest.SerializeToString,
            response_deserializer=health_pb2.HealthCheckResponse.FromString,
        )
        try:
            answer = await check(health_pb2.HealthCheckRequest())
        except grpc.aio.AioRpcError as error:
            return f"its health gives no answer ({error.code().name})"
    serving = answer.status == health_pb2.HealthCheckResponse.SERVING
    return None if serving else f"its health is {health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status)}"

"""Asking the market and comparing with its reference."""

import json
from decimal import Decimal
from typing import Any

from aiohttp.test_utils import TestClient
from aiohttp.web import Application, Request


async def get(client: TestClient[Request, Application], path: str, /, **params: str) -> tuple[int, Any]:
    """Return status and JSON of a GET, its numbers as decimals."""
    async with client.get(path, params=params) as response:
        return response.status, json.loads(await response.text(), parse_float=Decimal)


async def is_near(
    market: TestClient[Request, Application], pair: str, price: object, tolerance: str = "0.0005"
) -> bool:
    """Tell whether a price is within a fraction of the reference now."""
    _, body = await get(market, "/reference", pairs=pair)
    return abs(Decimal(str(price)) / Decimal(body["prices"][pair]) - 1) < Decimal(tolerance)

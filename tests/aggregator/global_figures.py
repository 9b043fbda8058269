"""What CoinGecko says of all coins together, as a test wants it."""

from typing import Any

import orjson

PATH = "/api/v3/global"
NOW_MS = 1_700_000_000_000


def said(**changes: object) -> str:
    """Return an answer, with other values where they are given."""
    data: dict[str, Any] = {
        "active_cryptocurrencies": 17397,
        "markets": 1476,
        "total_market_cap": {"usd": 3712345678901.5, "btc": 33_000_000},
        "total_volume": {"usd": 1.5e11},
        "market_cap_percentage": {"btc": 57.1},
        "market_cap_change_percentage_24h_usd": -1.6,
        "updated_at": NOW_MS // 1000,
    }
    return orjson.dumps({"data": {**data, **changes}}).decode()

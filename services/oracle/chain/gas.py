"""What a transaction pays."""

from services.oracle.chain.rpc import RpcClient
from services.oracle.settings import GasEstimatorSettings

FIXED_PRICE = "FixedPrice"


async def gas_price_wei(rpc: RpcClient, settings: GasEstimatorSettings) -> int:
    """Return the configured price in mode FixedPrice, else the chain's suggestion within the configured bounds."""
    if settings.mode == FIXED_PRICE:
        return settings.price_default_wei
    suggested = await rpc.number("eth_gasPrice")
    return min(max(suggested, settings.price_min_wei), settings.price_max_wei)

"""An account with money on a chain."""

from collections.abc import AsyncIterator

import pytest

from chainlink.keys.evm import EvmKey
from meshkit.clock import SystemClock
from services.oracle.chain.heads import HeadTracker
from services.oracle.chain.settings import EvmSettings
from services.oracle.chain.transactions.account import Account
from services.oracle.store.database import Database
from services.oracle.store.transactions import TransactionStore
from tests.oracle.anvil import CHAIN_ID, Anvil


def settings_with(**gas: object) -> EvmSettings:
    """Return the settings of the tests' chain, with changes to what a transaction pays."""
    return EvmSettings.read(
        {
            "ChainID": str(CHAIN_ID),
            "GasEstimator": {"Mode": "FixedPrice", "PriceDefault": "1 gwei"} | gas,
            "Nodes": [{"Name": "a", "HTTPURL": "http://127.0.0.1:1"}],
        }
    )


@pytest.fixture(name="heads")
def _heads(anvil: Anvil) -> HeadTracker:
    """Give a head tracker that asks when it is told to."""
    return HeadTracker(anvil.rpc, SystemClock(), 1.0)


@pytest.fixture(name="key")
async def _key(anvil: Anvil) -> EvmKey:
    """Give a funded key."""
    key = EvmKey.generate()
    await anvil.fund(key.address)
    return key


@pytest.fixture(name="transactions")
def _transactions(database: Database) -> TransactionStore:
    """Give the transactions of an empty database."""
    return TransactionStore(database, CHAIN_ID)


@pytest.fixture(name="account")
async def _account(
    anvil: Anvil, heads: HeadTracker, key: EvmKey, transactions: TransactionStore
) -> AsyncIterator[Account]:
    """Give an account on the chain."""
    account = Account(key, anvil.rpc, heads, settings_with(), transactions, SystemClock())
    yield account
    await account.close()

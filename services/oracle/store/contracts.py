"""The last configuration and the last state of each contract, to start from while the chain cannot be read."""

import asyncio
from decimal import Decimal

from chainlink.contract.aggregator import RoundRequested, TransmissionDetails
from chainlink.ocr.contract_config import ContractConfig
from meshkit import log
from services.oracle.chain.contract_state import ContractState
from services.oracle.errors import DatabaseUnavailable
from services.oracle.store.database import Database

_log = log.get_logger(__name__)


class ContractConfigStore:
    """Keep one configuration a contract."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def load(self, contract: str, chain_id: int) -> ContractConfig | None:
        """Return the last configuration seen, or None."""
        row = await self._database.fetch_one(
            "SELECT config_count, signers, transmitters, f, encoded_version, encoded FROM contract_configs"
            " WHERE contract_address = $1 AND evm_chain_id = $2",
            contract,
            chain_id,
        )
        if row is None:
            return None
        return ContractConfig(
            contract,
            row["config_count"],
            tuple(row["signers"]),
            tuple(row["transmitters"]),
            row["f"],
            row["encoded_version"],
            row["encoded"],
        )

    async def save(self, chain_id: int, config: ContractConfig, block_number: int) -> None:
        """Replace the configuration of its contract."""
        await self._database.execute(
            "INSERT INTO contract_configs VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)"
            " ON CONFLICT (contract_address, evm_chain_id) DO UPDATE SET block_number = $3, config_count = $4,"
            " signers = $5, transmitters = $6, f = $7, encoded_version = $8, encoded = $9",
            config.contract,
            chain_id,
            block_number,
            config.config_count,
            list(config.signers),
            list(config.transmitters),
            config.f,
            config.encoded_version,
            config.encoded,
        )


class ContractStateStore:
    """
    Keep one state a contract.

    What is noted is written at once in the background; where that fails, the next `flush` writes it.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._changed: dict[tuple[str, int], ContractState] = {}
        self._writing: asyncio.Task[None] | None = None

    async def load(self, contract: str, chain_id: int) -> ContractState | None:
        """Return what was noted last, or None; DatabaseUnavailable if it cannot be read."""
        if (noted := self._changed.get((contract, chain_id))) is not None:
            return noted
        row = await self._database.fetch_one(
            "SELECT * FROM contract_states WHERE contract_address = $1 AND evm_chain_id = $2", contract, chain_id
        )
        if row is None:
            return None
        answer = int(row["answer"])
        details = TransmissionDetails(row["config_digest"], row["epoch"], row["round"], answer, row["timestamp_s"])
        requested = signed = None
        if row["requested_digest"] is not None:
            requested = RoundRequested(row["requested_digest"], row["requested_epoch"], row["requested_round"])
        if row["signed_digest"] is not None:
            place = (row["signed_digest"], row["signed_epoch"], row["signed_round"])
            signed = TransmissionDetails(*place, int(row["signed_answer"]), row["signed_timestamp_s"])
        return ContractState(details, row["block_number"], requested, signed)

    def note(self, contract: str, chain_id: int, state: ContractState) -> None:
        """Replace the state of a contract, soon."""
        self._changed[contract, chain_id] = state
        if self._writing is None or self._writing.done():
            self._writing = asyncio.get_running_loop().create_task(self._write_what_is_noted())

    async def flush(self) -> None:
        """Write what is not written yet; DatabaseUnavailable if that fails, and it is kept for the next time."""
        if self._writing is not None:
            await asyncio.wait({self._writing})
        await self._write()

    async def _write_what_is_noted(self) -> None:
        try:
            while self._changed:
                await self._write()
        except DatabaseUnavailable as error:
            _log.warning("contract_state_not_written", error=str(error))

    async def _write(self) -> None:
        changed = dict(self._changed)
        if not changed:
            return
        await self._database.execute_many(
            "INSERT INTO contract_states VALUES"
            " ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)"
            " ON CONFLICT (contract_address, evm_chain_id) DO UPDATE SET block_number = $3, config_digest = $4,"
            " epoch = $5, round = $6, answer = $7, timestamp_s = $8, requested_digest = $9, requested_epoch = $10,"
            " requested_round = $11, signed_digest = $12, signed_epoch = $13, signed_round = $14, signed_answer = $15,"
            " signed_timestamp_s = $16",
            [(*place, *_values(state)) for place, state in changed.items()],
        )
        for place, state in changed.items():
            if self._changed.get(place) is state:
                del self._changed[place]


def _values(state: ContractState) -> tuple[object, ...]:
    requested, signed = state.requested, state.signed
    asked = (None,) * 3 if requested is None else (requested.config_digest, requested.epoch, requested.round)
    return (state.block, *_columns(state.details), *asked, *((None,) * 5 if signed is None else _columns(signed)))


def _columns(details: TransmissionDetails) -> tuple[object, ...]:
    answer = Decimal(details.answer)
    return (details.config_digest, details.epoch, details.round, answer, details.timestamp_s)

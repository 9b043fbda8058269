"""The last configuration of each contract, to start from while the chain cannot be reached."""

from chainlink.ocr.contract_config import ContractConfig
from services.oracle.store.database import Database


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

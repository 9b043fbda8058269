"""
The variant of the OCR1 feed contract whose configuration is split in two, and the contract that says who its admin is.

The owner sets timings and thresholds (`setConsensusConfig`); who the oracles are is set by an account that has proven
by certificates that it runs inside the confidential workload (`setConfig`). The contract joins both to the same bytes
and digest as libocr does, so nodes see no difference.
"""

from collections.abc import Sequence

from chainlink.contract.abi_codec import Function
from chainlink.ocr.contract_config import OcrConfig
from chainlink.ocr.shared_secret import SharedSecretEncryptions

SET_CONSENSUS_CONFIG = Function(
    "setConsensusConfig", ("int64", "int64", "int64", "int64", "int64", "uint64", "int64", "uint8", "uint64")
)
_SEALED = "(bytes32,bytes32,bytes16[])"
SET_CONFIG = Function("setConfig", (f"(address[],address[],uint8,uint8[],bytes32[],string,{_SEALED})",))

IS_ADMIN = Function("isAdmin", ("address",), ("bool",))
GET_SIGNATURE_NONCE = Function("getSignatureNonce", (), ("uint256",))
_CERTIFICATE = "(bytes[],bytes,bytes,bytes32,bytes,bytes,bytes32,bytes32,bytes)"
ADD_ADMIN = Function("addAdmin", (f"{_CERTIFICATE}[]", "uint256", "bytes"))
# The values that the leaf's key signs: the new admin, the chain, the contract that is asked, its nonce.
ADMIN_STATEMENT = ("address", "uint256", "address", "uint256")


def consensus_call(config: OcrConfig) -> bytes:
    """Return the data of `setConsensusConfig`, the owner's part."""
    offchain = config.offchain
    return SET_CONSENSUS_CONFIG.call_data(
        offchain.delta_progress_ns,
        offchain.delta_resend_ns,
        offchain.delta_round_ns,
        offchain.delta_grace_ns,
        offchain.delta_c_ns,
        offchain.alpha_ppb,
        offchain.delta_stage_ns,
        offchain.r_max,
        config.version,
    )


def oracles_call(config: OcrConfig, sealed: SharedSecretEncryptions) -> bytes:
    """Return the data of `setConfig`, the admin's part, with the secret encrypted for each oracle."""
    offchain = config.offchain
    secret: Sequence[object] = (sealed.diffie_hellman_point, sealed.shared_secret_hash, sealed.encryptions)
    return SET_CONFIG.call_data(
        (
            config.signers,
            config.transmitters,
            config.f,
            offchain.s,
            offchain.offchain_public_keys,
            ",".join(offchain.peer_ids),
            secret,
        )
    )

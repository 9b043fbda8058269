"""The contract whose configuration is split, by the interface of the one that we compile."""

from chainlink.contract import split_config
from chainlink.contract.abi_codec import AbiCodec
from chainlink.contract.artifact import load
from chainlink.contract.shape import ContractShape, shape_of


def test_the_functions_are_those_of_the_contracts() -> None:
    """Each function that we call is one of the compiled contracts, with the same selector."""
    feed, helper = (AbiCodec(load(f"split/{name}")) for name in ("SplitConfigAggregator", "AdminHelper"))

    assert [split_config.SET_CONSENSUS_CONFIG.selector, split_config.SET_CONFIG.selector] == [
        feed.functions[name].selector for name in ("setConsensusConfig", "setConfig")
    ]
    assert [
        function.selector
        for function in (split_config.IS_ADMIN, split_config.GET_SIGNATURE_NONCE, split_config.ADD_ADMIN)
    ] == [helper.functions[name].selector for name in ("isAdmin", "getSignatureNonce", "addAdmin")]


def test_its_shape() -> None:
    """The compiled contract is recognised, though it calls itself like the other."""
    code = bytes.fromhex(load("split/SplitConfigAggregator").deployed_bytecode.removeprefix("0x"))

    assert ContractShape.SPLIT is shape_of(code, "AccessControlledOffchainAggregator 4.0.0")

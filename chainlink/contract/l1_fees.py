"""The contract by which chains of the OP stack tell what a transaction's bytes cost on the chain below."""

from chainlink.contract.abi_codec import Function

# The same on every such chain, from the first block on.
GAS_PRICE_ORACLE = "0x420000000000000000000000000000000000000F"
GET_L1_FEE = Function("getL1Fee", ("bytes",), ("uint256",))

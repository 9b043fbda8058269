"""Random private keys of the curve that Ethereum signs with."""

import secrets

ORDER = 0xFFFFFFFF_FFFFFFFF_FFFFFFFF_FFFFFFFE_BAAEDCE6_AF48A03B_BFD25E8C_D0364141


def random_scalar() -> int:
    """Return a uniformly random private key, 1 to the curve's order minus 1."""
    return 1 + secrets.randbelow(ORDER - 1)

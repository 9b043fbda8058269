"""Which nonce the next transaction gets: the chain's word, as far as it does not contradict what is known."""

from collections.abc import Collection

from services.oracle.chain.transactions.in_flight import next_nonce


class Nonces:
    """
    Know an account's counts.

    Attributes:
        counted: The count in the newest block, as told last: lower than before where an endpoint is behind.
        mined: The highest such count; everything under it is used.
        pending: The count with the pool, as told last; None before it was asked.
    """

    def __init__(self) -> None:
        self.counted = 0
        self.mined = 0
        self.pending: int | None = None
        self._floor = 0

    def told(self, counted: int, pending: int) -> None:
        """Note the chain's word."""
        self.counted, self.pending = counted, pending
        self.mined = max(self.mined, counted)

    def used(self, nonce: int) -> None:
        """Note that a block has a transaction with that nonce."""
        self.mined = max(self.mined, nonce + 1)

    def taken(self, nonce: int, told: int | None) -> None:
        """Note that a nonce is taken; `told` is the next one by the words of the endpoint that said so."""
        self._floor = max(self._floor, nonce + 1, told or 0)

    def too_high(self) -> None:
        """Note that endpoints want lower nonces first: what was thought to be taken is asked anew."""
        self._floor, self.pending = 0, None

    def lost(self) -> None:
        """Note that nothing of what was thought to be taken need be so: the chain's word counts again."""
        self._floor = 0

    def vanished(self, nonce: int) -> None:
        """Note that the block with that nonce is gone."""
        self._floor = 0
        self.mined = min(self.mined, nonce)

    def forget(self) -> None:
        """Begin anew, after the chain went back."""
        self._floor = self.mined = self.counted = 0
        self.pending = None

    def next(self, held: Collection[int]) -> int:
        """Return the nonce of a new transaction; `held` are those of our own that are not buried yet."""
        return next_nonce(max(self.pending or 0, self.mined), held, self._floor)

"""Watch the faucet's and the transmitters' accounts: what they have, what they spend, how long it lasts."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from meshkit import log
from meshkit.clock import Clock
from services.operator.concurrently import together
from services.operator.errors import ChainUnavailable
from services.operator.funding.spending import DAY_MS, Look, Spending, days_left, together_a_day_wei
from services.operator.funding.spending_file import SpendingFile
from services.operator.onchain.chain import Chain

FAUCET = "faucet"
LOOK_EVERY_S = 60.0
_KEEP_EVERY_MS = 5 * 60_000
# So few days are said aloud; so many more are needed for it to be over.
_LOW_DAYS = 7.0
_FINE_DAYS = 8.0

_log = log.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Account:
    """Hold an account's name, a node's or `faucet`, and its EIP-55 address."""

    name: str
    address: str


@dataclass(frozen=True, slots=True)
class AccountState:
    """Hold an account as last seen; the rate and the days are None as long as they are not known."""

    account: Account
    balance_wei: int
    spent_wei: int
    a_day_wei: int | None
    days_left: float | None


class AccountWatch:
    """Look at all accounts in one block now and then; the first is the faucet."""

    def __init__(self, accounts: Iterable[Account], chain: Chain, kept: SpendingFile, clock: Clock) -> None:
        self._accounts = tuple(accounts)
        self._chain = chain
        self._kept = kept
        self._clock = clock
        self._spendings = kept.read()
        self._credited_wei: defaultdict[str, int] = defaultdict(int)
        self._seen: tuple[AccountState, ...] = ()
        self._kept_ms = clock.time_ms()
        self._low = False
        self._trouble = ""

    @property
    def seen(self) -> tuple[AccountState, ...]:
        """Return all accounts as last seen, the faucet first; nothing before the first look."""
        return self._seen

    def credited(self, address: str, wei: int) -> None:
        """Note that the faucet has paid an account, in a block."""
        self._credited_wei[address] += wei

    async def run(self) -> None:
        """Look until cancelled; a chain that is away is said once."""
        while True:
            try:
                await self.look()
            except ChainUnavailable as error:
                if not self._trouble:
                    _log.warning("balances_unknown", error=str(error))
                self._trouble = str(error)
            else:
                self._trouble = ""
            await self._clock.sleep(LOOK_EVERY_S)

    async def look(self) -> tuple[AccountState, ...]:
        """Look at all accounts now; raises ChainUnavailable."""
        head = (await self._chain.head()).number
        # What is paid while this reads may be in a later block than that which is read.
        credited, self._credited_wei = self._credited_wei, defaultdict(int)
        try:
            balances = await together(self._chain.balance_wei(each.address, head) for each in self._accounts)
            nonces = await together(self._chain.mined_nonce(each.address, head) for each in self._accounts)
        except ChainUnavailable:
            for address, wei in credited.items():
                self._credited_wei[address] += wei
            raise
        now_ms = self._clock.time_ms()
        for account, balance_wei, nonce in zip(self._accounts, balances, nonces, strict=True):
            spending = self._spendings.setdefault(account.address, Spending())
            spending.observe(Look(now_ms, balance_wei, nonce), credited[account.address])
        self._seen = tuple(map(self._state, self._accounts, balances))
        if now_ms - self._kept_ms >= _KEEP_EVERY_MS:
            self._kept_ms = now_ms
            self._kept.keep(self._spendings)
        self._warn()
        return self._seen

    def _state(self, account: Account, balance_wei: int) -> AccountState:
        spending = self._spendings[account.address]
        rate = spending.a_day_wei()
        if account.name == FAUCET:
            rate = together_a_day_wei([self._spendings[each.address] for each in self._accounts if each != account])
        return AccountState(account, balance_wei, spending.spent_wei, rate, days_left(balance_wei, rate))

    def _warn(self) -> None:
        """Say when the faucet will run dry, once it is near; and when that is over."""
        left = next((state.days_left for state in self._seen if state.account.name == FAUCET), None)
        if left is not None and left < _LOW_DAYS and not self._low:
            self._low = True
            dry = datetime.fromtimestamp((self._clock.time_ms() + left * DAY_MS) / 1000, UTC)
            _log.warning("faucet_runs_dry", days_left=round(left, 1), dry_at=dry.isoformat(timespec="minutes"))
        elif self._low and (left is None or left > _FINE_DAYS):
            self._low = False
            _log.info("faucet_is_fine", days_left=None if left is None else round(left, 1))

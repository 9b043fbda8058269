"""The assets that exist on the simulated market: what each is worth at the start and how much it moves."""

from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType
from typing import Final

CRYPTO_VOLATILITY_BPS: Final = Decimal("0.8")
FIAT_VOLATILITY_BPS: Final = Decimal("0.08")
STABLE_VOLATILITY_BPS: Final = Decimal("0.01")
PEGGED_VOLATILITY_BPS: Final = Decimal("0.02")
STOCK_VOLATILITY_BPS: Final = Decimal("0.4")

_CRYPTO: Final = """
    BTC 65000 ETH 3400 BNB 580 SOL 145 XRP 0.52 ADA 0.45 DOGE 0.12 TRX 0.125 LTC 82 BCH 470 XLM 0.11 XMR 165 ZEC 28
    ETC 26 DASH 29 XTZ 0.95 ATOM 8.2 DOT 7.1 AVAX 35 NEAR 6.4 ALGO 0.18 HBAR 0.09 ICP 11.5 FIL 5.6 VET 0.034
    THETA 2.05 ONT 0.31 ONG 0.42 CFX 0.21 KAVA 0.66 INJ 27 TAO 410 POL 0.55 MATIC 0.56 ARB 0.98 OP 2.35 IMX 2.1
    1INCH 0.43 AAVE 96 APE 1.15 AXS 7.4 BADGER 4.2 BAL 3.8 BAND 1.45 BAT 0.23 C98 0.25 CAKE 2.5 CHR 0.29 CHZ 0.11
    COMP 56 CRV 0.43 CVX 2.6 DGB 0.0091 DODO 0.16 DOLO 0.21 DPI 118 EIGEN 3.6 ENJ 0.26 ENS 23 ETHFI 3.9 FET 1.6 FTT 1.4
    FXS 4.2 GHST 1.25 GMT 0.2 GNS 3.1 GRT 0.26 HIGH 4.6 ILV 86 KNC 0.62 LDO 2.1 LINK 14.5 LISTA 0.62 LRC 0.24
    MANA 0.42 MASK 3.3 MLN 21 MKR 2450 NEIRO 0.0015 OGN 0.14 OM 0.79 PERP 0.95 QNT 82 QUICK 0.052 RDNT 0.19 RPL 22
    RSR 0.0067 SAND 0.43 SHIB 0.0000182 SKY 0.067 SLP 0.0041 SNX 2.6 SPELL 0.00082 STG 0.47 STORJ 0.54 SUSHI 1.02
    SWELL 0.017 SXP 0.34 SXT 0.078 TRUMP 8.9 TWT 1.08 UMA 3.1 UNI 9.4 WAMPL 4.9 WIN 0.000104 WOO 0.28 XCN 0.0017
    XVS 8.1 YFI 6450 ZBU 4.4 ZRO 4.1 ZRX 0.46 AMPL 1.19 AVAIL 0.021 BR 0.071 BSW 0.028 MAVIA 0.13
"""
_FIAT: Final = """
    EUR 1.085 GBP 1.27 AUD 0.664 CAD 0.734 CHF 1.118 NZD 0.612 JPY 0.00667 CNY 0.1379 KRW 0.000726 INR 0.01197
    SGD 0.741 THB 0.0274 PHP 0.0171 ILS 0.271 TRY 0.0306 ZAR 0.0549 BRL 0.184 MXN 0.0545 COP 0.000248 PLN 0.252
    SEK 0.0953
"""
_STABLE: Final = """
    USDT 1.0002 USDC 1.0000 DAI 0.9999 TUSD 0.9993 FDUSD 0.9998 USDP 1.0001 USDS 1.0000 USDE 0.9998 USD1 1.0000
    RLUSD 1.0000 LUSD 1.0006 GHO 0.9985 CRVUSD 0.9995 USR 0.9999 USDF 0.9998 USDTB 1.0000 DEUSD 1.0001
    FRAX 0.9987 FRXUSD 0.9999 OUSDT 1.0000 USD0 0.9990 USD0++ 0.9420
"""
_PEGGED: Final = """
    WBTC 0.9985 BTC  TBTC 0.9980 BTC  LBTC 0.9990 BTC  STETH 0.9996 ETH  WSTETH 1.1780 ETH  CBETH 1.0810 ETH
    LSETH 1.0450 ETH  METH 1.0390 ETH  WEETH 1.0420 ETH  MSOL 1.2010 SOL  MATICX 1.1210 POL  SUSDE 1.1050 USDE
    EURC 0.9995 EUR  PAXG 2380 USD  CBBTC 0.9997 BTC  FBTC 0.9988 BTC  SOLVBTC 0.9975 BTC  UNIBTC 0.9968 BTC
    STBTC 0.9970 BTC  RETH 1.1180 ETH  RSETH 1.0290 ETH  EZETH 1.0220 ETH  PUFETH 1.0360 ETH  OETH 0.9993 ETH
    BNBX 1.0890 BNB  STMATIC 1.1340 POL  XSUSHI 1.3500 SUSHI
"""
_STOCK: Final = """
    AAPL 232 AMZN 197 COIN 214 GOOGL 176 JPM 221 META 563 MRNA 78 MS 103 MSFT 428 NFLX 702 NVDA 121 PFE 29 QQQ 487
    SHV 110.3 TSLA 242 IBM 224 CSPX 588 IB01 112.4 IBTA 5.6 C3M 113.7 VOD 0.92
"""


@dataclass(frozen=True, slots=True)
class Asset:
    """
    Describe one asset.

    `level` is the price, in units of `against`, round which the process walks; `volatility_bps` scales the walk: about
    that many basis points in one second, growing with the square root of time.
    """

    symbol: str
    level: Decimal
    against: str
    volatility_bps: Decimal

    @property
    def is_fiat(self) -> bool:
        """Tell whether the asset is a state's money (USD too)."""
        return self.symbol in FIAT


FIAT: Final = frozenset(["USD", *_FIAT.split()[::2]])
STABLE: Final = frozenset(_STABLE.split()[::2])
STOCKS: Final = frozenset(_STOCK.split()[::2])


def _table() -> dict[str, Asset]:
    assets = [Asset("USD", Decimal(1), "USD", Decimal(0))]
    for text, volatility_bps in (
        (_CRYPTO, CRYPTO_VOLATILITY_BPS),
        (_FIAT, FIAT_VOLATILITY_BPS),
        (_STABLE, STABLE_VOLATILITY_BPS),
        (_STOCK, STOCK_VOLATILITY_BPS),
    ):
        words = text.split()
        assets += [
            Asset(s, Decimal(level), "USD", volatility_bps) for s, level in zip(words[::2], words[1::2], strict=True)
        ]
    words = _PEGGED.split()
    for symbol, level, against in zip(words[::3], words[1::3], words[2::3], strict=True):
        # Gold is quoted against the dollar and needs a walk of its own; the others follow what they are pegged to.
        volatility_bps = FIAT_VOLATILITY_BPS if against == "USD" else PEGGED_VOLATILITY_BPS
        assets.append(Asset(symbol, Decimal(level), against, volatility_bps))
    return {asset.symbol: asset for asset in assets}


ASSETS: Final = MappingProxyType(_table())
"""Every asset by its symbol."""

TOKENS: Final = tuple(symbol for symbol in ASSETS if symbol not in FIAT and symbol not in STOCKS)
"""What a crypto exchange lists: everything but states' money and shares."""

"""CoinGecko's ids of the simulated assets: several coins may be the same asset bridged to another chain."""

from types import MappingProxyType
from typing import Final

from devkit.market.assets import ASSETS, TOKENS

_IDS: Final = """
    BTC bitcoin ETH ethereum BNB binancecoin SOL solana XRP ripple ADA cardano DOGE dogecoin TRX tron LTC litecoin
    BCH bitcoin-cash XLM stellar XMR monero ZEC zcash ETC ethereum-classic DASH dash XTZ tezos ATOM cosmos
    DOT polkadot AVAX avalanche-2 NEAR near ALGO algorand HBAR hedera-hashgraph ICP internet-computer FIL filecoin
    VET vechain THETA theta-token ONT ontology ONG ong CFX conflux-token KAVA kava INJ injective-protocol
    TAO bittensor POL polygon-ecosystem-token MATIC matic-network ARB arbitrum OP optimism IMX immutable-x 1INCH 1inch
    AAVE aave APE apecoin AXS axie-infinity BADGER badger-dao BAL balancer BAND band-protocol
    BAT basic-attention-token C98 coin98 CAKE pancakeswap-token CHR chromaway CHZ chiliz
    COMP compound-governance-token CRV curve-dao-token CVX convex-finance DGB digibyte DODO dodo DOLO dolomite
    DPI defipulse-index EIGEN eigenlayer ENJ enjincoin ENS ethereum-name-service ETHFI ether-fi FET fetch-ai
    FTT ftx-token FXS frax-share GHST aavegotchi GMT stepn GNS gains-network GRT the-graph HIGH highstreet
    ILV illuvium KNC kyber-network-crystal LDO lido-dao LINK chainlink LISTA lista LRC loopring MANA decentraland
    MASK mask-network MLN melon MKR maker NEIRO neiro-3 OGN origin-protocol OM mantra-dao PERP perpetual-protocol
    QNT quant-network QUICK quickswap RDNT radiant-capital RPL rocket-pool RSR reserve-rights-token SAND the-sandbox
    SHIB shiba-inu SKY sky SLP smooth-love-potion SNX havven SPELL spell-token STG stargate-finance STORJ storj
    SUSHI sushi SWELL swell-network SXP swipe SXT space-and-time TRUMP official-trump TWT trust-wallet-token UMA uma
    UNI uniswap WAMPL wrapped-ampleforth WIN wink WOO woo-network XCN chain-2 XVS venus YFI yearn-finance ZBU zeebu
    ZRO layerzero ZRX 0x AMPL ampleforth AVAIL avail BR bedrock-token BSW biswap MAVIA heroes-of-mavia USDT tether
    USDC usd-coin DAI dai TUSD true-usd FDUSD first-digital-usd USDP paxos-standard USDS usds USDE ethena-usde
    USD1 usd1-wlfi RLUSD ripple-usd LUSD liquity-usd GHO gho CRVUSD crvusd USR resolv-usr USDF falcon-finance
    USDTB usdtb DEUSD elixir-deusd FRAX frax FRXUSD frax-usd OUSDT openusdt USD0++ usd0-liquid-bond
    WBTC wrapped-bitcoin TBTC tbtc LBTC lombard-staked-btc STETH staked-ether WSTETH wrapped-steth
    CBETH coinbase-wrapped-staked-eth LSETH liquid-staked-ethereum METH mantle-staked-ether WEETH wrapped-eeth
    MSOL msol MATICX stader-maticx SUSDE ethena-staked-usde EURC euro-coin PAXG pax-gold CBBTC coinbase-wrapped-btc
    FBTC ignition-fbtc SOLVBTC solv-btc UNIBTC universal-btc RETH rocket-pool-eth RSETH kelp-dao-restaked-eth
    EZETH renzo-restaked-eth PUFETH pufeth OETH origin-ether BNBX stader-bnbx STMATIC lido-staked-matic XSUSHI xsushi
    USD0 usual-usd STBTC lorenzo-stbtc
"""
_FOLLOWERS: Final = """
    USDF astherus-usdf ADA binance-peg-cardano BCH binance-peg-bitcoin-cash DOGE binance-peg-dogecoin
    DOT binance-peg-polkadot FIL binance-peg-filecoin LTC binance-peg-litecoin NEAR binance-peg-near-protocol
    ONT binance-peg-ontology SHIB binance-peg-shib XRP binance-peg-xrp XTZ binance-peg-tezos-token
    DAI avalanche-bridged-dai-avalanche GHO avalanche-bridged-gho-avalanche POL katana-bridged-pol-katana
    SOL allbridge-bridged-sol-near-protocol TRX solana-bridged-trx-solana TUSD bridged-trueusd
    UNI linea-bridged-uni-linea USDC airdao-bridged-usdc-airdao USDT abstract-bridged-usdt-abstract
    WBTC arbitrum-bridged-wbtc-arbitrum-one WSTETH arbitrum-bridged-wsteth-arbitrum EUR ageur GBP monerium-gbp-emoney
    JPY dephaser-jpy TRY bilira AAPL apple-ondo-tokenized-stock AMZN amazon-ondo-tokenized-stock
    COIN coinbase-ondo-tokenized-stock GOOGL alphabet-class-a-ondo-tokenized-stock
    JPM jpmorgan-chase-ondo-tokenized-stock META meta-platforms-ondo-tokenized-stock
    MSFT microsoft-ondo-tokenized-stock NFLX netflix-ondo-tokenized-stock NVDA nvidia-ondo-tokenized-stock
    PFE pfizer-ondo-tokenized-stock QQQ invesco-qqq-etf-ondo-tokenized-etf TSLA tesla-ondo-tokenized-stock
    IB01 backed-ib01-treasury-bond-0-1yr IBTA backed-ibta-treasury-bond-1-3yr
"""


def _table() -> dict[str, str]:
    words, followers = _IDS.split(), _FOLLOWERS.split()
    own = dict(zip(words[1::2], words[::2], strict=True))
    if unlisted := set(TOKENS) - set(own.values()):
        raise LookupError(f"no coin id for {', '.join(sorted(unlisted))}")
    table = own | dict(zip(followers[1::2], followers[::2], strict=True))
    if unknown := set(table.values()) - set(ASSETS):
        raise LookupError(f"coin ids for assets that do not exist: {', '.join(sorted(unknown))}")
    return table


COINS: Final = MappingProxyType(_table())
"""The asset of each coin id."""

"""Job templates of the shape that existing deployments have, made from what is known of their feeds."""

import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

FEEDS: Final[list[dict[str, Any]]] = json.loads((Path(__file__).parent / "vectors" / "template-feeds.json").read_text())
"""The feeds of a deployment: name, decimals, kind, pairs as source, base and quote, and the kinds of its errors."""
PORT: Final = "$PRICE_AGGREGATOR_PORT"


@dataclass(frozen=True, slots=True)
class Leg:
    """Hold what a source is asked."""

    source: str
    base: str
    quote: str = "USD"


def direct(name: str, legs: Sequence[Leg], decimals: int = 8) -> str:
    """Return a template in which each source's price is an input of the median."""
    lines, ends = [], []
    for at, leg in enumerate(legs):
        lines += [*_ask(leg, f"{at}"), f"    scaled_{at} [type=multiply times={10**decimals}];"]
        lines.append(f"    ask_{at} -> price_{at} -> scaled_{at} -> answer;")
        ends.append(f"scaled_{at}")
    return _toml(name, [*lines, "    answer [type=median];"])


def cross(name: str, legs: Sequence[tuple[Leg, Leg]], decimals: int = 18) -> str:
    """Return a template in which each source's quotient of two prices is an input of the median."""
    lines: list[str] = []
    for at, (above, below) in enumerate(legs):
        more = ' retries=3 allowUnrestrictedNetworkAccess="true"'
        lines += [*_ask(above, f"n{at}", more), *_ask(below, f"d{at}", more)]
        lines.append(f'    rate_{at} [type=divide input="$(price_n{at})" divisor="$(price_d{at})"];')
        lines.append(f'    scaled_{at} [type=multiply input="$(rate_{at})" times={10**decimals}];')
        lines.append(f"    ask_n{at} -> price_n{at} -> rate_{at} -> scaled_{at} -> answer;")
        # What divides comes by its name only: the task takes one arrow.
        lines.append(f"    ask_d{at} -> price_d{at};")
    return _toml(name, [*lines, "    answer [type=median];"])


def of(feed: dict[str, Any]) -> str:
    """Return the template of a deployment's feed."""
    name, decimals, pairs = feed["name"], feed["decimals"], [Leg(*pair) for pair in feed["pairs"]]
    if feed["kind"] == "cross":
        return cross(name, list(zip(pairs[::2], pairs[1::2], strict=True)), decimals)
    if pairs[0].source == "market-data":
        lines = [
            f'    ask [type=http method=GET url="http://127.0.0.1:{PORT}/market-data/global"];',
            '    price [type=jsonparse path="totalMarketCap,usd"];',
            f"    scaled [type=multiply times={10**decimals}];",
            "    answer [type=median];",
            "    ask -> price -> scaled -> answer;",
        ]
        return _toml(name, lines)
    return direct(name, pairs, decimals)


def _ask(leg: Leg, at: str, more: str = "") -> list[str]:
    # The one source that a path spells otherwise than the configuration.
    source = leg.source.replace("exchangeratehost", "exchangerate-host")
    url = f"http://127.0.0.1:{PORT}/quote/{source}/{leg.base}/{leg.quote}"
    return [f'    ask_{at} [type=http method=GET url="{url}"{more}];', f'    price_{at} [type=jsonparse path="price"];']


def _toml(name: str, pipeline: Sequence[str]) -> str:
    return "\n".join(
        [
            'type = "offchainreporting"',
            "schemaVersion = 1",
            f"name = {json.dumps(name)}",
            f'externalJobID = "{uuid.uuid5(uuid.NAMESPACE_URL, name)}"',
            'contractAddress = "$JOB_CA"',
            'evmChainID = "$EVM_CHAIN_ID"',
            "forwardingAllowed = false",
            "isBootstrapPeer = $IS_BOOTSTRAP",
            'p2pPeerID = "$P2P_PEER_ID"',
            "p2pv2Bootstrappers = [$P2P_BOOTSTRAP_PEERS]",
            'keyBundleID = "$OCR_KEY_BUNDLE_ID"',
            'transmitterAddress = "$TRANSMITTER_ADDRESS"',
            'observationTimeout = "10s"',
            'blockchainTimeout = "20s"',
            'contractConfigTrackerSubscribeInterval = "2m"',
            'contractConfigTrackerPollInterval = "1m"',
            "contractConfigConfirmations = 3",
            'observationSource = """',
            *(line.replace("\\", "\\\\") for line in pipeline),
            '"""',
            "",
        ]
    )

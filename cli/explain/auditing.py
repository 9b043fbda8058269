"""`feedmesh audit`: the consumer's side of any feed, also of others'."""

from collections.abc import Sequence

import aiohttp

from chainlink.rpc.answers import quantity
from chainlink.rpc.client import RpcClient
from chainlink.rpc.endpoints import Endpoint
from chainlink.rpc.errors import ChainError, RateLimited, RpcRefused
from chainlink.rpc.http import FAILURES, Transport
from cli.errors import CliError, UsageError
from cli.explain.audit_findings import FeedRead, Finding, Level, audit
from cli.explain.audit_reading import read
from cli.json_output import print_json
from meshkit.ethereum.address import checksummed, is_checksummed
from meshkit.http.failure_words import in_words

_TIMEOUT_S = 10.0
_SCHEMES = ("http://", "https://")


async def audit_feed(address_text: str, rpc_url: str, heartbeat_s: float | None, as_json: bool) -> int:
    """
    Print what a consumer should know of a feed; return 1 if something is a reason not to use its answer, else 0.

    Raises:
        UsageError: for what is no address or no URL.
        CliError: when the chain gives no answer.
    """
    address = _address(address_text)
    if not rpc_url.startswith(_SCHEMES):
        raise UsageError("--rpc: found an address of another kind, allowed: http://… or https://…")
    async with aiohttp.ClientSession() as session:
        try:
            chain_id = quantity(await Transport(session, _TIMEOUT_S).ask(rpc_url, "eth_chainId", ()))
            rpc = RpcClient(session, [Endpoint("--rpc", rpc_url)], chain_id, timeout_s=_TIMEOUT_S)
            feed = await read(rpc, address, heartbeat_s)
        except (*FAILURES, RpcRefused, RateLimited) as error:
            raise CliError(f"--rpc: the chain gives no answer: {in_words(error, rpc_url)}") from error
        except ChainError as error:
            raise CliError(f"--rpc: {error}") from error
    findings = audit(feed)
    faults = sum(finding.level is Level.FAULT for finding in findings)
    if as_json:
        print_json(as_dict(feed, chain_id, findings))
    else:
        print("\n".join(lines(findings, faults)))
    return 1 if faults else 0


def lines(findings: Sequence[Finding], faults: int) -> list[str]:
    """Return what a person reads: a line a finding, and the verdict."""
    shown = [f"{finding.what:<12} {finding.level.value:<8} {finding.words}" for finding in findings]
    first = next((finding for finding in findings if finding.level is Level.FAULT), None)
    more = f" (and {faults - 1} more)" if faults > 1 else ""
    verdict = "nothing speaks against its answer" if first is None else f"do not use it: {first.words}{more}"
    return [*shown, "", verdict]


def as_dict(feed: FeedRead, chain_id: int, findings: Sequence[Finding]) -> dict[str, object]:
    """Return what a program reads; the answer is the contract's integer as text, times are Unix seconds."""
    latest = feed.latest
    return {
        "ok": all(finding.level is not Level.FAULT for finding in findings),
        "address": feed.address,
        "chain_id": chain_id,
        "aggregator": feed.aggregator,
        "description": feed.description,
        "decimals": feed.decimals,
        "answer": None if latest is None else str(latest.answer),
        "round_id": None if latest is None else str(latest.round_id),
        "updated_s": None if latest is None else latest.updated_s,
        "heartbeat_s": feed.heartbeat_s,
        "findings": [{"what": f.what, "level": f.level.value, "words": f.words} for f in findings],
    }


def _address(text: str) -> str:
    try:
        address = checksummed(text)
    except ValueError:
        raise UsageError(f"ADDRESS: found {text!r}, allowed: 0x and 40 hexadecimal digits") from None
    is_mixed = text[2:] not in (text[2:].lower(), text[2:].upper())
    if is_mixed and not is_checksummed(text):
        raise UsageError(f"ADDRESS: found {text!r}, whose checksum is wrong: one of its letters is another one")
    return address

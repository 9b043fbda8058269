"""What each side says or counts when it finds fault with what the other one sent."""

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

from tests.interop.network import Network
from tests.oracle.network import NodeProcess

# What the library says of messages it refuses. That a peer sent too much at once is not among it: a process that got no
# time for some seconds finds all that came meanwhile in one moment.
_REFUSALS = (
    # oracle messages
    "Failed to deserialize",
    "Invalid inbound message",
    "dropping NewEpoch message from invalid sender",
    "invalid SignedObservation",
    "from non-leader",
    "Non-leader received",
    "could not validate",
    "could not verify",
    "disparate reports",
    "too few signatures",
    "out of bounds",
    # discovery
    "Failed to process announcement",
    "not well-formed",
    "Received unknown message type",
    # connections
    "Invalid knock",
    "Knock too short",
    "PeerID mismatch",
    "Name mismatch",
    "Error decoding header",
    "Frame close payload length",
    "message exceeds",
    "message too big",
    "too many open/close frames",
)
_WRONG = ("messages_malformed", "internal_errors", "announcements_refused")


async def nobody_complains(network: Network, http: aiohttp.ClientSession) -> None:
    """Check that neither side refused what the other one sent."""
    said = [line for member in network.theirs for line in member.troubles]
    refused = [line for line in said if any(refusal in line for refusal in _REFUSALS)]
    assert not refused, "\n".join(refused[:10])
    for node in network.ours:
        counted = await _events(node, http)
        assert counted["connections"] > 0, counted
        assert not any(counted.get(wrong) for wrong in _WRONG), counted


async def _events(node: NodeProcess, http: aiohttp.ClientSession) -> dict[str, float]:
    """Return what a node counted of its network and its rounds."""
    async with http.get(f"{node.url}/metrics") as response:
        families = list(text_string_to_metric_families(await response.text()))
    samples = [sample for family in families for sample in family.samples]
    return {s.labels["event"]: s.value for s in samples if s.name == "feedmesh_oracle_events"}

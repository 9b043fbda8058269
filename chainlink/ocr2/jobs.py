"""An OCR2 job of a price feed: the TOML that Chainlink's node takes, and the attributes that it answers."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

OCR2_TYPE: Final = "offchainreporting2"
BOOTSTRAP_TYPE: Final = "bootstrap"
_RELAY: Final = "evm"
_PLUGIN: Final = "median"
# Where a node's API has what is particular to a job of the type.
_ATTRIBUTES: Final = {OCR2_TYPE: "offChainReporting2OracleSpec", BOOTSTRAP_TYPE: "bootstrapSpec"}
# A node refuses a job that cannot tell how many juels of LINK a coin of the chain is worth, which only decides what
# oracles are paid; those of contracts without billing are paid nothing, so any price will do.
_JUELS_PER_COIN: Final = '\n    juels [type=multiply input="1000000000000000000" times=1];\n'


@dataclass(frozen=True, slots=True, kw_only=True)
class Ocr2JobSpec:
    """
    Hold one OCR2 job; timings are the contract's, so it has none.

    Attributes:
        external_job_id: The UUID by which its maker knows it, in its canonical spelling.
        contract_address: The aggregator's checksummed address.
        is_bootstrap: Whether it only lets the oracles of the contract find each other: then it has neither bundle,
            transmitter nor source.
        bootstrappers: Locators `peerid@host:port`; empty: those of the node's configuration.
        from_block: Where a node begins to look for the contract's configuration; without it, at its own start. Once it
            runs, a node follows the contract, so it is no difference.
    """

    contract_address: str
    chain_id: int
    is_bootstrap: bool
    external_job_id: str
    name: str
    bootstrappers: tuple[str, ...] = ()
    key_bundle_id: str | None = None
    transmitter_address: str | None = None
    observation_source: str | None = None
    from_block: int = 0

    @property
    def type(self) -> str:
        """Return the job's type; unlike in OCR1 a bootstrap node's has one of its own."""
        return BOOTSTRAP_TYPE if self.is_bootstrap else OCR2_TYPE

    def toml(self) -> str:
        """Return the job's text as a node's API takes it."""
        # A node reads jobs and never writes one.
        import tomlkit

        document = tomlkit.document()
        document.update(
            {
                "type": self.type,
                "schemaVersion": 1,
                "name": self.name,
                "externalJobID": self.external_job_id,
                "relay": _RELAY,
                "contractID": self.contract_address,
            }
        )
        if not self.is_bootstrap:
            document["pluginType"] = _PLUGIN
            document["ocrKeyBundleID"] = self.key_bundle_id
            document["transmitterID"] = self.transmitter_address
            document["p2pv2Bootstrappers"] = list(self.bootstrappers)
            # A literal string: the source's own backslashes and quotes stay as they are.
            source = self.observation_source or ""
            document["observationSource"] = tomlkit.string(source, literal=True, multiline=True)
        # Tables come last: what follows one would be taken for a part of it.
        begins = {"fromBlock": self.from_block} if self.from_block else {}
        document["relayConfig"] = {"chainID": self.chain_id, **begins}
        if not self.is_bootstrap:
            juels = tomlkit.string(_JUELS_PER_COIN, literal=True, multiline=True)
            document["pluginConfig"] = tomlkit.table().add("juelsPerFeeCoinSource", juels)
        return tomlkit.dumps(document)

    def differences(self, attributes: Mapping[str, Any]) -> tuple[str, ...]:
        """
        Return the names of the fields in which a job that a node answers differs, in a fixed order.

        How the node spells a value is no difference. A node does not tell a job's plugin and what that is given.
        """
        spec = _table(attributes.get(_ATTRIBUTES[self.type]))
        pipeline = _table(attributes.get("pipelineSpec"))
        pairs: dict[str, tuple[object, object]] = {
            "type": (self.type, attributes.get("type")),
            "name": (self.name, attributes.get("name")),
            "relay": (_RELAY, spec.get("relay")),
            "contractID": (self.contract_address.lower(), _lower(spec.get("contractID"))),
            "relayConfig.chainID": (str(self.chain_id), _chain_id(spec)),
        }
        if not self.is_bootstrap:
            found = spec.get("p2pv2Bootstrappers")
            pairs |= {
                "ocrKeyBundleID": (self.key_bundle_id, spec.get("ocrKeyBundleID")),
                "transmitterID": (_lower(self.transmitter_address), _lower(spec.get("transmitterID"))),
                "p2pv2Bootstrappers": (self.bootstrappers, tuple(found) if isinstance(found, list) else ()),
                "observationSource": (_words(self.observation_source), _words(pipeline.get("dotDagSource"))),
            }
        names = [name for name, (wanted, answered) in pairs.items() if wanted != answered]
        if attributes.get("forwardingAllowed"):
            names.append("forwardingAllowed")
        return tuple(names)


def contract_of(attributes: Mapping[str, Any]) -> tuple[int, str] | None:
    """Return chain id and contract address of a job that a node answers, None if it is no OCR2 job of the EVM."""
    kind = attributes.get("type")
    if not isinstance(kind, str) or kind not in _ATTRIBUTES:
        return None
    spec = _table(attributes.get(_ATTRIBUTES[kind]))
    chain_id = _chain_id(spec)
    if spec.get("relay") != _RELAY or not (chain_id.isascii() and chain_id.isdecimal()):
        return None
    return int(chain_id), str(spec.get("contractID"))


def _chain_id(spec: Mapping[str, Any]) -> str:
    """Return the chain's id as text; nodes may answer it as a number of JSON, with a fraction perhaps."""
    found = _table(spec.get("relayConfig")).get("chainID")
    if isinstance(found, float) and found.is_integer():
        found = int(found)
    return str(found)


def _table(found: object) -> Mapping[str, Any]:
    return found if isinstance(found, Mapping) else {}


def _lower(text: object) -> str | None:
    return text.lower() if isinstance(text, str) else None


def _words(text: object) -> list[str] | None:
    """Return the words of a pipeline: nodes may trim or re-indent what they store."""
    return text.split() if isinstance(text, str) else None

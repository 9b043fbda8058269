"""The metrics of the node as a whole: heads of chains, and events of the network, of transactions and of jobs."""

from collections import Counter
from collections.abc import Iterator, Mapping

from meshkit.metrics import Registry, Sample
from services.oracle.chain.evm_chain import EvmChain
from services.oracle.jobs.job_spawner import JobSpawner
from services.oracle.p2p.host import Host
from services.oracle.round_records.store import RoundStore


def show(
    registry: Registry, chains: Mapping[int, EvmChain], host: Host, spawner: JobSpawner, rounds: RoundStore
) -> None:
    """Show them with each rendering of the registry."""

    def heads() -> None:
        gauge = registry.gauge("head_tracker_current_head")
        for chain_id, chain in chains.items():
            gauge.labels(str(chain_id)).set(chain.heads.latest)

    def events() -> Iterator[Sample]:
        transactions: Counter[str] = Counter()
        for chain in chains.values():
            for account in chain.accounts():
                transactions.update(account.counters)
        parts = {"transactions": transactions, "p2p": host.counters}
        parts |= {active.job.label: active.status.counters for active in spawner.all()}
        for part, counts in parts.items():
            for event, count in counts.items():
                yield (part, event), count

    def dropped() -> Iterator[Sample]:
        yield (), rounds.dropped

    registry.before_render(heads)
    registry.derive("feedmesh_oracle_dropped_round_moments_total", dropped)
    registry.derive("feedmesh_oracle_events", events)

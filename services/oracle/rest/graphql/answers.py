"""
What this node answers by GraphQL: a value, or a function of a value's arguments, for each field.

A field of which a page asks only sometimes is a function, so that what it takes is done only then.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

from chainlink.units import format_duration_ns
from meshkit.errors import NotFound
from services.oracle.chain.evm_chain import EvmChain
from services.oracle.jobs.job_spawner import ActiveJob, JobSpawner
from services.oracle.jobs.specification import CronJob, WebhookJob
from services.oracle.keys.sealed_keyring import Keyring
from services.oracle.rest import node_information
from services.oracle.rest.chains import STATES as ENDPOINT_STATES
from services.oracle.rest.config_text import toml_of
from services.oracle.rest.graphql import run_answers, transaction_answers
from services.oracle.rest.graphql.pages import Page, missing, page_of, result_page, whole_number
from services.oracle.rest.jobs import ocr_spec
from services.oracle.rest.jsonapi import timestamp
from services.oracle.rest.keys import identities
from services.oracle.rest.keys.evm import EvmKeys
from services.oracle.settings import Config
from services.oracle.store.bridges import Bridge, BridgeStore
from services.oracle.store.runs import RunStore
from services.oracle.store.transactions import TransactionLog

_WEI_PER_ETHER: Final = 10**18
# What a page may ask for, and this node has none of; a kind of key has its own name.
_NONE: Final = (
    *("feedsManagers", "vrfKeys", "aptosKeys", "cosmosKeys", "solanaKeys", "starknetKeys"),
    *("stellarKeys", "suiKeys", "tonKeys", "tronKeys"),
)
Fields = Mapping[str, Any]


class NodeAnswers:
    """Answer from what the node holds and stores; nothing is changed."""

    def __init__(
        self,
        config: Config,
        ring: Keyring,
        accounts: EvmKeys,
        chains: Mapping[int, EvmChain],
        bridges: BridgeStore,
        spawner: JobSpawner,
        runs: RunStore,
        sent: TransactionLog,
    ) -> None:
        self._config = config
        self._ring = ring
        self._accounts = accounts
        self._chains = chains
        self._bridges = bridges
        self._spawner = spawner
        self._runs = runs
        self._sent = sent

    def fields(self) -> Fields:
        """Return the fields of a question."""
        lists: dict[str, Callable[..., Any]] = {
            "p2p": lambda each: {"peerID": each["peerId"], "publicKey": each["publicKey"]},
            "csa": lambda each: each,
            "ocr": lambda each: each,
            "ocr2": lambda each: {
                "chainType": each["chainType"].upper(),
                "configPublicKey": each["configPublicKey"],
                "onChainPublicKey": each["onchainPublicKey"],
                "offChainPublicKey": each["offchainPublicKey"],
            },
        }
        names = {"p2p": "p2pKeys", "csa": "csaKeys", "ocr": "ocrKeyBundles", "ocr2": "ocr2KeyBundles"}
        return {
            "bridge": self._bridge,
            "bridges": lambda _, **page: page_of([_bridge(each) for each in self._bridges.all()], page),
            "chain": self._chain_of,
            "chains": lambda _, **page: page_of([self._chain(number) for number in sorted(self._chains)], page),
            "configv2": self._configuration,
            "ethKeys": self._eth_keys,
            "ethTransaction": self._transaction,
            "ethTransactions": self._transactions,
            "ethTransactionsAttempts": self._attempts,
            "features": self._features,
            "feedsManager": lambda _, id: missing("feeds manager"),  # noqa: A006 # its name is the question's
            "jobProposal": lambda _, id: missing("job proposal"),  # noqa: A006
            "vrfKey": lambda _, id: missing("VRF key"),  # noqa: A006
            "globalLogLevel": {"__typename": "GlobalLogLevel", "level": self._level()},
            "sqlLogging": {"__typename": "SQLLogging", "enabled": False},
            "job": self._job_of,
            "jobs": self._jobs,
            "jobRun": self._run,
            "jobRuns": self._all_runs,
            "node": self._node_of,
            "nodes": lambda _, **page: page_of(self._nodes(), page),
            **{names[kind]: self._lister(kind, show) for kind, show in lists.items()},
            **{name: {"results": ()} for name in _NONE},
        }

    # bridges, chains and their endpoints

    def _bridge(self, _: object, id: str) -> Fields:  # noqa: A002
        found = self._bridges.get(id.lower())
        return missing("bridge") if found is None else _bridge(found)

    def _chain(self, number: int) -> Fields:
        settings = self._chains[number].settings
        return {
            "__typename": "Chain",
            "id": settings.chain_id,
            "network": "evm",
            "enabled": settings.enabled,
            "config": lambda _: toml_of(settings),
            "nodes": lambda _: self._nodes(number),
        }

    def _chain_of(self, _: object, id: str, network: str | None = None) -> Fields:  # noqa: A002
        number = whole_number(id)
        is_ours = number in self._chains and network in (None, "evm")
        return self._chain(number) if is_ours and number is not None else missing("chain")

    def _nodes(self, chain: int | None = None) -> list[Fields]:
        return [
            {
                "__typename": "Node",
                "id": f"{number}/{node.name}",
                "name": node.name,
                "wsURL": node.ws_url or "",
                "httpURL": node.http_url,
                "chain": lambda _, number=number: self._chain(number),
                "state": ENDPOINT_STATES[self._chains[number].rpc.book.standing(place)],
                "sendOnly": node.send_only,
                "order": node.order,
            }
            for number in (sorted(self._chains) if chain is None else (chain,))
            for place, node in enumerate(self._chains[number].settings.nodes)
        ]

    def _node_of(self, _: object, id: str) -> Fields:  # noqa: A002
        # A page asks by the whole id, older ones by the name.
        return next((node for node in self._nodes() if id in (node["id"], node["name"])), missing("node"))

    # the node itself

    def _configuration(self, _: object) -> Fields:
        return {"user": toml_of(self._config, said_only=True), "effective": toml_of(self._config)}

    def _features(self, _: object) -> Fields:
        found = node_information.features(self._config)
        managers = {"feedsManager": found["feeds_manager"], "multiFeedsManagers": found["multi_feeds_managers"]}
        return {"__typename": "Features", "csa": found["csa"], **managers}

    def _level(self) -> str:
        level = self._config.log.level.upper()
        return level if level in ("DEBUG", "INFO", "WARN") else "ERROR"

    # keys

    def _lister(self, kind: str, show: Callable[[Fields], Fields]) -> Callable[[object], Fields]:
        def listed(_: object) -> Fields:
            shown = [identities.shown(kind, key) for key in getattr(self._ring, kind).values()]
            return {"results": [{"id": each["id"], **show(each["attributes"])} for each in shown]}

        return listed

    async def _eth_keys(self, _: object) -> Fields:
        keys = sorted(self._ring.evm.values(), key=lambda key: key.address)
        shown = [(number, await self._accounts.shown(key, number)) for key in keys for number in self._chains]
        return {"results": [self._eth_key(number, each["attributes"]) for number, each in shown]}

    def _eth_key(self, number: int, shown: Fields) -> Fields:
        wei = shown["ethBalance"]
        ether = None if wei is None else f"{Decimal(wei) / _WEI_PER_ETHER:.18f}"
        return {**shown, "ethBalance": ether, "isDisabled": shown["disabled"], "chain": self._chain(number)}

    # jobs and runs

    def _job(self, active: ActiveJob) -> Fields:
        head = active.job.head

        async def errors(_: object) -> list[Fields]:
            return [
                {
                    "id": str(error.id),
                    "description": error.description,
                    "occurrences": error.occurrences,
                    "createdAt": timestamp(error.created_at),
                    "updatedAt": timestamp(error.updated_at),
                }
                for error in await self._spawner.errors(active.id)
            ]

        return {
            "__typename": "Job",
            "id": str(active.id),
            "name": head.name or "",
            "schemaVersion": 1,
            "gasLimit": head.gas_limit,
            "forwardingAllowed": head.forwarding_allowed,
            "maxTaskDuration": format_duration_ns(head.max_task_ns),
            "externalJobID": str(head.external_job_id),
            "type": head.kind,
            "spec": lambda _: _spec(active),
            "runs": lambda _, **page: self._runs_of(active.id, page),
            "observationSource": "" if head.pipeline is None else head.pipeline.source,
            "errors": errors,
            "createdAt": timestamp(active.stored.created_at),
        }

    def _jobs(self, _: object, **page: int | None) -> Fields:
        jobs = sorted(self._spawner.all(), key=lambda job: (job.stored.created_at, job.id), reverse=True)
        return page_of([self._job(each) for each in Page.of(page).cut(jobs)], page, len(jobs))

    def _job_of(self, _: object, id: str) -> Fields:  # noqa: A002
        return self._job_numbered(whole_number(id)) or missing("job")

    def _job_numbered(self, number: int | None) -> Fields | None:
        try:
            return None if number is None else self._job(self._spawner.find(number))
        except NotFound:
            return None

    async def _runs_of(self, job_id: int | None, page: Mapping[str, int | None]) -> Fields:
        wanted = Page.of(page)
        found, count = await self._runs.of_job(job_id, wanted.first, wanted.size)
        # A job that was deleted has taken its runs along, unless it goes at this moment.
        jobs = {run.job_id: self._job_numbered(run.job_id) for run in found}
        shown = [run_answers.of(run, job) for run in found if (job := jobs[run.job_id]) is not None]
        return result_page(shown, count)

    def _all_runs(self, _: object, **page: int | None) -> Awaitable[Fields]:
        return self._runs_of(None, page)

    async def _run(self, _: object, id: str) -> Fields:  # noqa: A002
        number = whole_number(id)
        found = None if number is None else await self._runs.get(number)
        job = None if found is None else self._job_numbered(found.job_id)
        return missing("job run") if found is None or job is None else run_answers.of(found, job)

    # transactions

    async def _transaction(self, _: object, hash: str) -> Fields:  # noqa: A002
        found = await transaction_answers.find(self._sent, hash)
        return missing("transaction") if found is None else transaction_answers.of(found, self._known_chain)

    async def _transactions(self, _: object, **page: int | None) -> Fields:
        wanted = Page.of(page)
        found, count = await self._sent.transactions(wanted.first, wanted.size)
        return result_page([transaction_answers.of(each, self._known_chain) for each in found], count)

    async def _attempts(self, _: object, **page: int | None) -> Fields:
        wanted = Page.of(page)
        found, count = await self._sent.attempts(wanted.first, wanted.size)
        return result_page([transaction_answers.attempt(each) for each in found], count)

    def _known_chain(self, number: int) -> Fields:
        """Return a chain, also one of an earlier configuration."""
        if number in self._chains:
            return self._chain(number)
        return {"id": str(number), "network": "evm", "enabled": False, "config": "", "nodes": ()}


def _bridge(bridge: Bridge) -> Fields:
    return {
        "__typename": "Bridge",
        "id": bridge.name,
        "name": bridge.name,
        "url": bridge.url,
        "confirmations": bridge.confirmations,
        "outgoingToken": bridge.outgoing_token,
        "minimumContractPayment": bridge.minimum_contract_payment or "0",
        "createdAt": timestamp(bridge.created_at),
        "useConnectionManager": False,
    }


def _spec(active: ActiveJob) -> Fields:
    """Return what a job has of its own kind; what it leaves to the node is null, and said to come from there."""
    job, created = active.job, timestamp(active.stored.created_at)
    match job:
        case CronJob(schedule=schedule, evm_chain_id=chain_id):
            chain = None if chain_id is None else str(chain_id)
            return {"__typename": "CronSpec", "schedule": schedule.text, "evmChainID": chain, "createdAt": created}
        case WebhookJob():
            return {"__typename": "WebhookSpec", "createdAt": created}
        case _:
            shown = ocr_spec(job)
            left_to_node = [name for name, value in shown.items() if value is not False and value in (0, "0s")]
            given = {name: None if name in left_to_node else value for name, value in shown.items()}
            names: Sequence[str] = (
                *("blockchainTimeout", "contractConfigConfirmations", "contractConfigTrackerPollInterval"),
                *("contractConfigTrackerSubscribeInterval", "observationTimeout"),
            )
            left = {f"{name}Env": given[name] is None for name in names}
            return {"__typename": "OCRSpec", **given, **left, "createdAt": created}

"""OperatorService: protos in, protos out."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any, TypeAlias

import grpc.aio
from google.protobuf.timestamp_pb2 import Timestamp

from feedmesh.operator.v1 import operator_service_pb2 as pb
from feedmesh.operator.v1 import operator_service_pb2_grpc as pb_grpc
from meshkit.errors import InvalidInput, MeshError, Unavailable
from services.operator.config import OperatorConfig
from services.operator.nodes import feed_jobs, prepare_nodes
from services.operator.nodes.identity import NodeIdentity, oracles
from services.operator.nodes.prepare_nodes import Preparation
from services.operator.onchain.contract_changes import FeedAction

if TYPE_CHECKING:
    from services.operator.app import FeedStatus, Operator
    from services.operator.onchain.rounds import Round

Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"
_MOST_ANSWERS = 1000
_ACTIONS = {pb.FEED_CHANGE_DEPLOY: FeedAction.DEPLOY, pb.FEED_CHANGE_CONFIGURE: FeedAction.CONFIGURE}
NAME = pb.DESCRIPTOR.services_by_name["OperatorService"].full_name


class OperatorService(pb_grpc.OperatorServiceServicer):
    """Answer for the nodes from the first moment, for the chain once `operator` is attached."""

    def __init__(self, config: OperatorConfig, prepared: Preparation) -> None:
        self._config = config
        self._prepared = prepared
        self._preparing = asyncio.Lock()
        self.operator: Operator | None = None

    async def PrepareNodes(self, request: pb.PrepareNodesRequest, context: Context) -> pb.PrepareNodesResponse:
        """Make the missing keys of every node and write its files."""
        async with self._preparing:
            prepared = await prepare_nodes.prepare(self._config)
        return pb.PrepareNodesResponse(nodes=_nodes(prepared.identities), created_keys=prepared.created_keys)

    async def ListNodes(self, request: pb.ListNodesRequest, context: Context) -> pb.ListNodesResponse:
        """Return the nodes with their public keys and addresses."""
        return pb.ListNodesResponse(nodes=_nodes(self._prepared.identities))

    async def Reconcile(self, request: pb.ReconcileRequest, context: Context) -> pb.ReconcileResponse:
        """Bring everything to the configured state and return what changed."""
        return pb.ReconcileResponse(changes=await self._attached().reconcile())

    async def ListFeeds(self, request: pb.ListFeedsRequest, context: Context) -> pb.ListFeedsResponse:
        """Return the feeds with their contracts and last on-chain answers."""
        return pb.ListFeedsResponse(feeds=[_feed(status) for status in await self._attached().feeds()])

    async def WatchRounds(
        self, request: pb.WatchRoundsRequest, context: Context
    ) -> AsyncIterator[pb.WatchRoundsResponse]:
        """Send every round from now on; the response's headers tell that the watch has begun."""
        operator = self._attached()
        wanted = frozenset(self._names(request.feeds))
        with operator.rounds.subscribe() as rounds:
            await context.send_initial_metadata(())
            async for accepted in rounds:
                if accepted.feed in wanted:
                    yield pb.WatchRoundsResponse(round=_round(accepted))

    async def ListBalances(self, request: pb.ListBalancesRequest, context: Context) -> pb.ListBalancesResponse:
        """Return the balances of the faucet and of every transmitter."""
        balances = await self._attached().balances()
        return pb.ListBalancesResponse(
            balances=[
                pb.Balance(
                    name=seen.account.name,
                    address=seen.account.address,
                    balance_wei=str(seen.balance_wei),
                    spent_a_day_wei="" if seen.a_day_wei is None else str(seen.a_day_wei),
                    days_left=seen.days_left,
                )
                for seen in balances.accounts
            ],
            transmission_cost_wei=str(balances.cost.wei),
            l1_fee_wei=str(balances.cost.l1_fee_wei),
            minimum_wei=str(balances.minimum_wei),
        )

    async def VerifyFeeds(self, request: pb.VerifyFeedsRequest, context: Context) -> pb.VerifyFeedsResponse:
        """Look at chain and nodes anew and say where they are not as configured."""
        reconciler, names = self._attached().reconciler, self._names(request.feeds)
        found = await reconciler.verify()
        records = reconciler.records
        return pb.VerifyFeedsResponse(
            feeds=[
                pb.VerifiedFeed(
                    name=name,
                    address=records[name].address if name in records else "",
                    differences=found.differences[name],
                )
                for name in names
            ],
            problems=found.problems,
        )

    async def ChangeFeeds(self, request: pb.ChangeFeedsRequest, context: Context) -> pb.ChangeFeedsResponse:
        """Deploy or configure contracts, or say what would be sent."""
        action = _ACTIONS.get(request.change)
        if action is None:
            raise InvalidInput("change", request.change, "FEED_CHANGE_DEPLOY or FEED_CHANGE_CONFIGURE")
        reconciler, names = self._attached().reconciler, self._names(request.feeds)
        changed = await reconciler.change(action, names, dry_run=request.dry_run)
        return pb.ChangeFeedsResponse(
            changes=changed.outcome.changes,
            planned=[
                pb.PlannedTransaction(
                    purpose=call.transaction.purpose,
                    to=call.transaction.to or "",
                    data=f"0x{call.transaction.data.hex()}",
                    by_admin=call.by_admin,
                )
                for call in changed.planned
            ],
            errors=[f"{name}: {error}" for name, error in changed.outcome.errors.items()],
        )

    async def ListAnswers(self, request: pb.ListAnswersRequest, context: Context) -> pb.ListAnswersResponse:
        """Return the last answers of a feed's contract."""
        if not 1 <= request.count <= _MOST_ANSWERS:
            raise InvalidInput("count", request.count, f"1 to {_MOST_ANSWERS}")
        (name,) = self._names([request.feed])
        return pb.ListAnswersResponse(
            answers=[
                pb.PastAnswer(
                    round_id=answer.round_id,
                    answer=_text(answer.price),
                    update_time=Timestamp(seconds=answer.updated_s),
                )
                for answer in await self._attached().answers(name, request.count)
            ]
        )

    async def ListJobs(self, request: pb.ListJobsRequest, context: Context) -> pb.ListJobsResponse:
        """Return the jobs of every node as the nodes answer them."""
        listed = await self._attached().reconciler.jobs()
        return pb.ListJobsResponse(
            nodes=[
                pb.NodeJobs(node=name, problem=str(found))
                if isinstance(found, MeshError)
                else pb.NodeJobs(node=name, jobs=[_job(job) for job in found])
                for name, found in listed
            ]
        )

    def _names(self, asked: Iterable[str]) -> tuple[str, ...]:
        """Return the feeds that are asked for in the order of the configuration, all of them if none is named."""
        known, given = [feed.name for feed in self._config.feeds], tuple(asked)
        for name in given:
            if name not in known:
                raise InvalidInput("feeds", name, ", ".join(known))
        return tuple(name for name in known if not given or name in given)

    def _attached(self) -> "Operator":
        if self.operator is None:
            raise Unavailable("the operator is starting: nodes are prepared, the chain is not connected yet")
        return self.operator


def _job(job: Mapping[str, Any]) -> pb.NodeJob:
    attributes = job["attributes"]
    contract = feed_jobs.contract_of(attributes)
    return pb.NodeJob(
        id=str(job["id"]),
        external_job_id=str(attributes.get("externalJobID") or ""),
        name=str(attributes.get("name") or ""),
        type=str(attributes.get("type") or ""),
        contract_address="" if contract is None else contract[1],
        errors=[str(each.get("description")) for each in attributes.get("errors") or ()],
    )


def _nodes(identities: tuple[NodeIdentity, ...]) -> list[pb.Node]:
    positions = {oracle.node.index: oracle.oracle_index for oracle in oracles(identities)}
    return [
        pb.Node(
            index=node.index,
            name=node.name,
            role=pb.NODE_ROLE_BOOTSTRAP if node.ocr is None else pb.NODE_ROLE_ORACLE,
            peer_id=node.peer_id,
            transmitter_address=node.transmitter_address,
            signing_address=node.ocr.signing_address if node.ocr else "",
            key_bundle_id=node.ocr.bundle_id if node.ocr else "",
            oracle_index=positions.get(node.index),
            ocr2_signing_address=node.ocr2.signing_address if node.ocr2 else "",
            ocr2_key_bundle_id=node.ocr2.bundle_id if node.ocr2 else "",
        )
        for node in identities
    ]


def _feed(status: "FeedStatus") -> pb.Feed:
    answer = status.answer
    return pb.Feed(
        name=status.name,
        address=status.address,
        decimals=status.decimals,
        phase=pb.FeedPhase.ValueType(status.phase),
        config_digest=status.config_digest,
        config_differences=status.differences,
        round_id=answer.round_id if answer else 0,
        answer=_text(answer.price) if answer else "",
        update_time=Timestamp(seconds=answer.updated_s) if answer else None,
    )


def _round(accepted: "Round") -> pb.Round:
    return pb.Round(
        feed=accepted.feed,
        round_id=accepted.round_id,
        answer=_text(accepted.answer),
        epoch=accepted.epoch,
        round=accepted.round,
        transmitter=accepted.transmitter,
        observers=accepted.observers,
        observations=[_text(value) for value in accepted.observations],
        block_number=accepted.block_number,
        block_time=Timestamp(seconds=accepted.block_time_s),
    )


def _text(price: Decimal) -> str:
    """Return plain decimal text: never an exponent."""
    return format(price, "f")

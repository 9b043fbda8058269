"""OperatorService: protos in, protos out."""

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import TYPE_CHECKING, Any, TypeAlias

import grpc.aio
from google.protobuf.timestamp_pb2 import Timestamp

from feedmesh.operator.v1 import operator_service_pb2 as pb
from feedmesh.operator.v1 import operator_service_pb2_grpc as pb_grpc
from meshkit.errors import InvalidInput, Unavailable
from services.operator.config import OperatorConfig
from services.operator.nodes import prepare_nodes
from services.operator.nodes.identity import NodeIdentity, oracles
from services.operator.nodes.prepare_nodes import Preparation

if TYPE_CHECKING:
    from services.operator.app import FeedStatus, Operator
    from services.operator.onchain.rounds import Round

Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"
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
        known = [feed.name for feed in self._config.feeds]
        for name in request.feeds:
            if name not in known:
                raise InvalidInput("feeds", name, ", ".join(known))
        wanted = frozenset(request.feeds or known)
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

    def _attached(self) -> "Operator":
        if self.operator is None:
            raise Unavailable("the operator is starting: nodes are prepared, the chain is not connected yet")
        return self.operator


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

"""MetricsPageService: what a process counts, also of those that have no HTTP port."""

from typing import Any

import grpc.aio

from feedmesh.metrics.v1 import metrics_page_service_pb2 as pb
from feedmesh.metrics.v1 import metrics_page_service_pb2_grpc as pb_grpc
from meshkit.metrics import Registry

NAME = pb.DESCRIPTOR.services_by_name["MetricsPageService"].full_name


class MetricsPageService(pb_grpc.MetricsPageServiceServicer):
    """Answer with the metrics of one registry."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    async def GetMetricsPage(
        self, request: pb.GetMetricsPageRequest, context: "grpc.aio.ServicerContext[Any, Any]"
    ) -> pb.GetMetricsPageResponse:
        """Return all metrics as they are now."""
        return pb.GetMetricsPageResponse(page=self._registry.render())

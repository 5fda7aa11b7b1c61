"""The endpoints for a platform and a monitoring system: /health, /ready and /metrics."""

import math
from pathlib import Path
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from geekai_video_mcp import __version__
from geekai_video_mcp.domain.tenants import LOCAL_TENANT
from geekai_video_mcp.engine import Operations
from geekai_video_mcp.server.http.principals import principal_of
from geekai_video_mcp.server.http.readiness import CHECK_INTERVAL, Readiness
from geekai_video_mcp.server.http.refusals import build_refusal

if TYPE_CHECKING:
    from geekai_video_mcp.server.http.metrics import MetricsExporter


def probe_routes(operations: Operations, *, output_dir: Path | None) -> list[Route]:
    """The routes; without *output_dir*, /ready says nothing of its disk."""
    readiness = Readiness(operations, output_dir=output_dir)
    exporters = list["MetricsExporter"]()

    async def report_readiness(_: Request) -> Response:
        if (problem := await readiness.find_problem()) is None:
            return JSONResponse({"status": "ready", "version": __version__})
        return build_refusal(
            503, error="not_ready", description=problem, retry_after=math.ceil(CHECK_INTERVAL)
        )

    async def report_metrics(request: Request) -> Response:
        if principal_of(request).tenant != LOCAL_TENANT:
            return build_refusal(
                403,
                error="operator_only",
                description="The metrics are about all tenants. Send the operator's own token,"
                " which geekai-video-mcp token --raw prints on the server's machine.",
            )
        try:
            from geekai_video_mcp.server.http import metrics  # noqa: PLC0415 - needs the extra
        except ModuleNotFoundError:
            return build_refusal(
                404,
                error="metrics_not_installed",
                description="This server was installed without its metrics. Install"
                " geekai-video-mcp[metrics] in its place and start it again.",
            )
        if not exporters:
            exporters.append(metrics.MetricsExporter(operations))
        content = await exporters[0].render()
        headers = {"Content-Type": metrics.MEDIA_TYPE, "Cache-Control": "no-store"}
        return Response(content, headers=headers)

    return [
        Route("/health", _report_health),
        Route("/ready", report_readiness),
        Route("/metrics", report_metrics),
    ]


async def _report_health(_: Request) -> Response:
    return JSONResponse({"status": "ok", "version": __version__})

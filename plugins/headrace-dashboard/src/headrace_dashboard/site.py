"""The site: which page is at which address, and how what is asked for is answered."""

import logging
from collections.abc import Awaitable, Callable, Iterator

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.staticfiles import StaticFiles

from headrace.errors import HeadraceError
from headrace_dashboard.assets import MARK, Kept
from headrace_dashboard.browsing import Browsing
from headrace_dashboard.forms import Form, read_form
from headrace_dashboard.live import Live
from headrace_dashboard.pages.agents import AgentsPage
from headrace_dashboard.pages.calendar import CalendarPage
from headrace_dashboard.pages.code import CodePage
from headrace_dashboard.pages.concurrency_limits import ConcurrencyLimitsPage
from headrace_dashboard.pages.deployment import CustomRunPage, DeploymentPage
from headrace_dashboard.pages.deployments import DeploymentsPage
from headrace_dashboard.pages.flow_run import FlowRunPage, LogFile
from headrace_dashboard.pages.flow_runs import FlowRunsPage
from headrace_dashboard.pages.flows import FlowsPage
from headrace_dashboard.pages.login import LoginPage
from headrace_dashboard.pages.overview import OverviewPage
from headrace_dashboard.pages.plugins import PluginsPage
from headrace_dashboard.pages.schedule import NewSchedulePage, SchedulePage
from headrace_dashboard.pages.settings import SettingsPage
from headrace_dashboard.pages.storage import NewStoragePage, StoragePage
from headrace_dashboard.pages.storages import StoragesPage
from headrace_dashboard.pages.task_run import TaskRunPage
from headrace_dashboard.pages.trouble import BugPage, TroublePage
from headrace_dashboard.pages.work_queue import NewWorkQueuePage, WorkQueuePage
from headrace_dashboard.pages.work_queues import WorkQueuesPage
from headrace_dashboard.view import View
from headrace_server.pages import LOGIN, Lent, OpenMount, OpenRoute

logger = logging.getLogger("headrace.dashboard")

PAGES: tuple[tuple[str, type[View]], ...] = (
    ("/", OverviewPage),
    ("/flow-runs", FlowRunsPage),
    ("/flow-runs/{run_id}", FlowRunPage),
    ("/flow-runs/{run_id}/log.txt", LogFile),
    ("/task-runs/{run_id}", TaskRunPage),
    ("/flows", FlowsPage),
    ("/deployments", DeploymentsPage),
    ("/deployments/{deployment_id}", DeploymentPage),
    ("/deployments/{deployment_id}/run", CustomRunPage),
    ("/deployments/{deployment_id}/code", CodePage),
    ("/deployments/{deployment_id}/schedules/new", NewSchedulePage),
    ("/deployments/{deployment_id}/schedules/{schedule_id}", SchedulePage),
    ("/calendar", CalendarPage),
    ("/work-queues", WorkQueuesPage),
    ("/work-queues/new", NewWorkQueuePage),
    ("/work-queues/{queue_id}", WorkQueuePage),
    ("/agents", AgentsPage),
    ("/storages", StoragesPage),
    ("/storages/new/{type}", NewStoragePage),
    ("/storages/{storage}", StoragePage),
    ("/concurrency-limits", ConcurrencyLimitsPage),
    ("/plugins", PluginsPage),
    ("/settings", SettingsPage),
)


SMALL = (Middleware(GZipMiddleware, compresslevel=5),)
"""Pages are sent packed, which makes of one with hundreds of runs what a phone takes."""


def routes(server: Lent) -> Iterator[BaseRoute]:
    """Those of the dashboard, on a server."""
    yield OpenMount(f"/static/{MARK}", app=Kept(GZipMiddleware(StaticFiles(packages=[("headrace_dashboard", "static")]))))
    yield OpenRoute("/login", _served(server, LoginPage), name=LOGIN, methods=["GET", "POST"])
    yield Route("/live", Live(server).answer)
    for path, page in PAGES:
        yield Route(path, _served(server, page), methods=["GET", "POST"], middleware=SMALL)


def _served(server: Lent, page: type[View]) -> Callable[[Request], Awaitable[Response]]:
    async def serve(request: Request) -> Response:
        form = await read_form(request) if request.method == "POST" else None
        return await run_in_threadpool(_contained, Browsing(server, request), page, form)

    return serve


def _contained(visit: Browsing, page: type[View], form: Form | None) -> Response:
    """What nobody foresaw stands in the server's log, under a number that the page tells."""
    try:
        return _answered(visit, page, form)
    except HTTPException:
        raise
    except Exception as error:
        number = visit.house.ids.new()
        logger.error("%s /%s failed (%s), please report it", "GET" if form is None else "POST", visit.path, number, exc_info=error)
        return BugPage(visit, number).answer()


def _answered(visit: Browsing, page: type[View], form: Form | None) -> Response:
    """A page; or what comes of doing something on it, which is the page again where it could not be done, with all that was typed."""
    view = page(visit)
    try:
        if form is not None:
            return view.done(form)
        return view.answer()
    except HeadraceError as error:
        view.trouble = error
    try:
        return view.answer() if form is not None else TroublePage(visit, view.trouble).answer()
    except HeadraceError as error:
        return TroublePage(visit, error).answer()

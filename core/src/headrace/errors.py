"""Every error of headrace: one class, one sentence, named fields; the docstring is the message.

The classes are made whenever anything is imported, and half of that time would go into a `repr` that exceptions have by themselves.
"""

import inspect
from typing import Any

import attrs


def _shown(value: object) -> object:
    """A field as it reads in a sentence: several things stand side by side, nothing is called nothing."""
    if isinstance(value, (tuple, list, set, frozenset)):
        return ", ".join(str(item) for item in value) or "none"
    return value


def _rebuilt(kind: type["HeadraceError"], fields: dict[str, Any], notes: tuple[str, ...] = ()) -> "HeadraceError":
    error = kind(**fields)
    for note in notes:
        error.add_note(note)
    return error


@attrs.frozen(kw_only=True, repr=False)
class HeadraceError(Exception):
    """something in headrace went wrong"""

    def fields(self) -> dict[str, Any]:
        """What the sentence is made of, by name."""
        return {field.name: getattr(self, field.name) for field in attrs.fields(type(self))}

    def __str__(self) -> str:
        sentence = " ".join(inspect.cleandoc(type(self).__doc__ or "").split())
        return sentence.format(**{name: _shown(value) for name, value in self.fields().items()})

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuilt, (type(self), self.fields(), tuple(getattr(self, "__notes__", ())))


@attrs.frozen(kw_only=True, repr=False)
class MayPass(HeadraceError):
    """what was asked cannot be had just now; asking again later may help"""


# What people write: flows, tasks, parameters, names


@attrs.frozen(kw_only=True, repr=False)
class InvalidName(HeadraceError):
    """{what} name {name!r} cannot be used: it must be one line of 1 to 250 characters, without any of / % & < >, and not begin with -; choose another name"""

    what: str
    name: str


@attrs.frozen(kw_only=True, repr=False)
class InvalidOption(HeadraceError):
    """{where}: {option}={value!r} cannot be used: {why}"""

    where: str
    option: str
    value: object
    why: str


@attrs.frozen(kw_only=True, repr=False)
class UnknownParameter(HeadraceError):
    """{where} has no parameter {name!r}; it takes: {known}"""

    where: str
    name: str
    known: tuple[str, ...]


@attrs.frozen(kw_only=True, repr=False)
class MissingParameter(HeadraceError):
    """{where} needs a value for parameter {name!r}, and none was given"""

    where: str
    name: str


@attrs.frozen(kw_only=True, repr=False)
class WrongParameters(HeadraceError):
    """{where} cannot be called like this: {why}"""

    where: str
    why: str


@attrs.frozen(kw_only=True, repr=False)
class WrongParameterType(HeadraceError):
    """{where}: parameter {name!r} must be {expected}, not {given}"""

    where: str
    name: str
    expected: str
    given: str


@attrs.frozen(kw_only=True, repr=False)
class NotInRun(HeadraceError):
    """{what} works inside a {needed} only, and none is running here"""

    what: str
    needed: str


@attrs.frozen(kw_only=True, repr=False)
class FlowInsideTask(HeadraceError):
    """flow {flow!r} was called inside task {task!r}; call it from a flow instead"""

    flow: str
    task: str


@attrs.frozen(kw_only=True, repr=False)
class AsyncFlowInFlow(HeadraceError):
    """async flow {flow!r} was called in flow {parent!r}, which is not async, so nothing would await it; write `async def` for {parent!r}
    and `await` the call, or await it in a coroutine that you give to `asyncio.run`"""

    flow: str
    parent: str


# Runs and their ends


@attrs.frozen(kw_only=True, repr=False)
class RunFailed(HeadraceError):
    """the run ended {state}: {message}"""

    state: str
    message: str


@attrs.frozen(kw_only=True, repr=False)
class RunNotFinished(HeadraceError):
    """the run has not ended (it is {state}), so it has no result yet; wait for it first"""

    state: str


@attrs.frozen(kw_only=True, repr=False)
class RunStopped(HeadraceError):
    """this process may not go on with {run}: {reason}"""

    run: str
    reason: str


@attrs.frozen(kw_only=True, repr=False)
class UpstreamFailed(HeadraceError):
    """task run {task_run!r} did not run: {upstream!r}, which it waits for, ended {state}"""

    task_run: str
    upstream: str
    state: str


@attrs.frozen(kw_only=True, repr=False)
class TimedOut(HeadraceError):
    """{what} exceeded its timeout of {seconds:g} seconds"""

    what: str
    seconds: float


@attrs.frozen(kw_only=True, repr=False)
class ResultNotKept(HeadraceError):
    """the result of {what} was not kept; set persist_result=True on its flow or task to read it later"""

    what: str


@attrs.frozen(kw_only=True, repr=False)
class ResultNotLoaded(HeadraceError):
    """the result of this state lies in storage {storage!r}; read it with `headrace.open()` and its `result(state)`"""

    storage: str


@attrs.frozen(kw_only=True, repr=False)
class ResultUnreadable(HeadraceError):
    """the result at {key!r} in storage {storage!r} cannot be used: {why}"""

    storage: str
    key: str
    why: str


@attrs.frozen(kw_only=True, repr=False)
class NotSerializable(HeadraceError):
    """{what} cannot be written by serializer {serializer!r}: {why}"""

    what: str
    serializer: str
    why: str


@attrs.frozen(kw_only=True, repr=False)
class FutureOnRunningLoop(HeadraceError):
    """future.{method}() would block the event loop that it waits for; write `await future` instead"""

    method: str


@attrs.frozen(kw_only=True, repr=False)
class CallLost(HeadraceError):
    """the process that ran this call ended before it could answer ({how}); the call may have been done in part"""

    how: str


@attrs.frozen(kw_only=True, repr=False)
class NoThread(HeadraceError):
    """no thread can be started for this call ({why}); let fewer calls run at once, or give this user more processes"""

    why: str


@attrs.frozen(kw_only=True, repr=False)
class TaskRunnerClosed(HeadraceError):
    """this task runner was closed, so it takes no more calls; submit them before the flow that they belong to ends"""


# What is looked up


@attrs.frozen(kw_only=True, repr=False)
class NotFound(HeadraceError):
    """no {what} {name!r}; list what is there with `headrace {command}`"""

    what: str
    name: str
    command: str


@attrs.frozen(kw_only=True, repr=False)
class Ambiguous(HeadraceError):
    """{name!r} fits several {what}: {candidates}; write one of them whole"""

    what: str
    name: str
    candidates: tuple[str, ...]


@attrs.frozen(kw_only=True, repr=False)
class AlreadyThere(HeadraceError):
    """there is a {what} {name!r} already; choose another name, or change it with `headrace {command}`"""

    what: str
    name: str
    command: str


@attrs.frozen(kw_only=True, repr=False)
class NoQueueLeft(HeadraceError):
    """the agent has stopped, since all work queues that it served were deleted; see which there are: `headrace work-queue ls`"""


@attrs.frozen(kw_only=True, repr=False)
class NotRetryable(HeadraceError):
    """flow run {run!r} cannot be tried again: {why}"""

    run: str
    why: str


@attrs.frozen(kw_only=True, repr=False)
class NotResumable(HeadraceError):
    """flow run {run!r} cannot be resumed: {why}"""

    run: str
    why: str


@attrs.frozen(kw_only=True, repr=False)
class NotPaused(HeadraceError):
    """flow run {run!r} is not paused: {why}"""

    run: str
    why: str


@attrs.frozen(kw_only=True, repr=False)
class CannotPause(HeadraceError):
    """the flow cannot be paused here: {why}"""

    why: str


@attrs.frozen(kw_only=True, repr=False)
class ChangedMeanwhile(HeadraceError):
    """{what} {name!r} was changed by somebody else meanwhile, so nothing was written; read it again, and repeat your change"""

    what: str
    name: str


@attrs.frozen(kw_only=True, repr=False)
class NotStored(HeadraceError):
    """nothing is stored under key {key!r} in {storage}"""

    storage: str
    key: str


@attrs.frozen(kw_only=True, repr=False)
class WrongKey(HeadraceError):
    """{key!r} cannot be a storage key: {why}"""

    key: str
    why: str


@attrs.frozen(kw_only=True, repr=False)
class StorageUnusable(HeadraceError):
    """the storage at {where} cannot be used: {why}"""

    where: str
    why: str


@attrs.frozen(kw_only=True, repr=False)
class StorageAway(StorageUnusable, MayPass):
    """the storage at {where} cannot be used: {why}"""


@attrs.frozen(kw_only=True, repr=False)
class StillNeeded(HeadraceError):
    """storage {name!r} has {keys} of code or results; `headrace storage gc` removes those that nothing needs, and with --force the others are lost sight of"""

    name: str
    keys: str


@attrs.frozen(kw_only=True, repr=False)
class KeyRemoved(MayPass):
    """key {key!r} is just being removed from its storage, since nothing needed it; try again in a moment, or after `headrace storage gc` if that was ended"""

    key: str


# Plugins


@attrs.frozen(kw_only=True, repr=False)
class NotInstalled(HeadraceError):
    """no {port} named {name!r}; installed: {installed}{advice}"""

    port: str
    name: str
    installed: tuple[str, ...]
    advice: str = ""


@attrs.frozen(kw_only=True, repr=False)
class NoRunStore(HeadraceError):
    """the run store in use is gone when its process ends, so there is nothing to show; pip install headrace-sqlite, and do not block it or set
    run_store to another"""


@attrs.frozen(kw_only=True, repr=False)
class DoubleProvider(HeadraceError):
    """two plugins offer a {port} named {name!r}: {first} and {second}; uninstall one, or block it with
    HEADRACE_PLUGINS_BLOCKED"""

    port: str
    name: str
    first: str
    second: str


@attrs.frozen(kw_only=True, repr=False)
class ProviderUnusable(HeadraceError):
    """{port} {name!r} of {dist} cannot be loaded: {why}"""

    port: str
    name: str
    dist: str
    why: str


@attrs.frozen(kw_only=True, repr=False)
class OptionsDoNotFit(ProviderUnusable):
    """the options of {port} {name!r} of {dist} do not fit: {why}"""


@attrs.frozen(kw_only=True, repr=False)
class CodeNotAllowedHere(HeadraceError):
    """{port} {name!r} runs code when it reads data, and this process is no flow run's; it is refused"""

    port: str
    name: str


@attrs.frozen(kw_only=True, repr=False)
class SecretUnresolved(HeadraceError):
    """the value of {reference!r} cannot be found: {why}"""

    reference: str
    why: str


@attrs.frozen(kw_only=True, repr=False)
class NothingSeals(HeadraceError):
    """a secret that is written out cannot be kept here: {why} — {advice}, or write secret://env/NAME instead"""

    why: str = "no plugin that is installed seals secrets"
    advice: str = "pip install headrace-keys"


@attrs.frozen(kw_only=True, repr=False)
class KeysUnusable(HeadraceError):
    """the keys in {where} cannot be used: {why}"""

    where: str
    why: str


@attrs.frozen(kw_only=True, repr=False)
class CannotSign(HeadraceError):
    """nothing can be signed by key {key!r}: {why}"""

    key: str
    why: str


@attrs.frozen(kw_only=True, repr=False)
class SignatureRefused(HeadraceError):
    """its signature counts for nothing here: {why}"""

    why: str


@attrs.frozen(kw_only=True, repr=False)
class NoneTrusted(SignatureRefused):
    """no signature counts for anything here: {why}"""

    why: str


@attrs.frozen(kw_only=True, repr=False)
class EventSinkFailed(HeadraceError):
    """event sink {sink!r} could not take an event: {why}"""

    sink: str
    why: str


@attrs.frozen(kw_only=True, repr=False)
class ScheduleFailed(HeadraceError):
    """schedule {schedule!r} cannot say its times: {why}"""

    schedule: str
    why: str


# Deployments and where they run


@attrs.frozen(kw_only=True, repr=False)
class WrongSpec(HeadraceError):
    """{where}: {why}"""

    where: str
    why: str


@attrs.frozen(kw_only=True, repr=False)
class SpecsRefused(HeadraceError):
    """nothing was deployed: {faults}"""

    faults: tuple[str, ...]


@attrs.frozen(kw_only=True, repr=False)
class CodeUnusable(HeadraceError):
    """the code of {what} cannot be used: {why}"""

    what: str
    why: str


@attrs.frozen(kw_only=True, repr=False)
class CodeNotSigned(HeadraceError):
    """only signed code is run here, and {what} is not: {why}"""

    what: str
    why: str


@attrs.frozen(kw_only=True, repr=False)
class FlowRunnerFailed(HeadraceError):
    """flow runner {runner!r} could not start flow run {run!r}: {why}"""

    runner: str
    run: str
    why: str


@attrs.frozen(kw_only=True, repr=False)
class FlowRunnerAway(MayPass):
    """flow runner {runner!r} has not {what}: {why}"""

    runner: str
    what: str
    why: str


@attrs.frozen(kw_only=True, repr=False)
class ImageNotBuilt(HeadraceError):
    """image {tag!r} was not built: {why}"""

    tag: str
    why: str


# Settings


@attrs.frozen(kw_only=True, repr=False)
class UnknownSetting(HeadraceError):
    """{where} sets {name!r}, which is no setting{advice}"""

    where: str
    name: str
    advice: str = ""


@attrs.frozen(kw_only=True, repr=False)
class WrongSetting(HeadraceError):
    """{name}={value!r} from {origin} cannot be used: {why}{way_out}"""

    name: str
    value: str
    origin: str
    why: str
    way_out: str = ""


@attrs.frozen(kw_only=True, repr=False)
class SettingNotSet(HeadraceError):
    """profile {profile!r} in {path} does not set {name!r}{advice}"""

    profile: str
    path: str
    name: str
    advice: str = ""


@attrs.frozen(kw_only=True, repr=False)
class WrongSettingsFile(HeadraceError):
    """the settings file {path} cannot be read: {why}; mend or move it"""

    path: str
    why: str


@attrs.frozen(kw_only=True, repr=False)
class SettingsNotWritten(HeadraceError):
    """the settings file {path} cannot be written: {why}; nothing was changed"""

    path: str
    why: str


@attrs.frozen(kw_only=True, repr=False)
class UnknownProfile(HeadraceError):
    """no profile named {name!r} in {path}; it has: {known}"""

    name: str
    path: str
    known: tuple[str, ...]


# The run store


@attrs.frozen(kw_only=True, repr=False)
class StoreUnusable(HeadraceError):
    """the run store at {where} cannot be used: {why}"""

    where: str
    why: str


@attrs.frozen(kw_only=True, repr=False)
class StoreAway(StoreUnusable, MayPass):
    """the run store at {where} cannot be used: {why}"""


@attrs.frozen(kw_only=True, repr=False)
class StoreBusy(MayPass):
    """the run store at {where} stayed locked for {seconds:g} seconds{holder}; end the program that holds it, then try again"""

    where: str
    seconds: float
    holder: str = ""


@attrs.frozen(kw_only=True, repr=False)
class CopyFailed(HeadraceError):
    """the run store cannot be copied to {target}: {why}"""

    target: str
    why: str


@attrs.frozen(kw_only=True, repr=False)
class CopyNotWritten(HeadraceError):
    """no copy of pages can be written to {target}: {why}"""

    target: str
    why: str


@attrs.frozen(kw_only=True, repr=False)
class StoreTooNew(HeadraceError):
    """the run store at {where} was written by a newer headrace (schema {found}, this one knows {known}); upgrade headrace-sqlite"""

    where: str
    found: int
    known: int


# The web API


@attrs.frozen(kw_only=True, repr=False)
class ApiAway(MayPass):
    """the web API at {where} does not answer: {why}; start its server (`headrace server start`), or set HEADRACE_API_URL to where it is
    (`headrace config view` shows what is set)"""

    where: str
    why: str


@attrs.frozen(kw_only=True, repr=False)
class CannotServe(HeadraceError):
    """nothing can be served at {where}: {why}"""

    where: str
    why: str


@attrs.frozen(kw_only=True, repr=False)
class NotAnApi(HeadraceError):
    """there is no web API of headrace at {where}: {why}; look at HEADRACE_API_URL, which is like http://127.0.0.1:4200/api"""

    where: str
    why: str


@attrs.frozen(kw_only=True, repr=False)
class NotTrusted(HeadraceError):
    """who answers at {where} cannot be trusted: {why}; let the system trust the authority of its certificate, or name its file in SSL_CERT_FILE"""

    where: str
    why: str


@attrs.frozen(kw_only=True, repr=False)
class NotOffered(HeadraceError):
    """the server at {where} is headrace {version}, which does not know {operation!r}; upgrade it"""

    operation: str
    where: str
    version: str


@attrs.frozen(kw_only=True, repr=False)
class ApiRefused(HeadraceError):
    """the web API refused this (status {status}): {detail}"""

    status: int
    detail: str


@attrs.frozen(kw_only=True, repr=False)
class NotAuthenticated(HeadraceError):
    """the web API does not know who is asking: {why}; set a token, as with `headrace config set HEADRACE_API_TOKEN=...`"""

    why: str


@attrs.frozen(kw_only=True, repr=False)
class NotAllowed(HeadraceError):
    """{who} may not ask for {what}: {why}"""

    who: str
    what: str
    why: str


@attrs.frozen(kw_only=True, repr=False)
class SecretNotSent(HeadraceError):
    """a secret is not sent to {where}, as others on the way could read it; give an address that begins with https://, or refer to it (secret://env/NAME)"""

    where: str


# Data from outside


@attrs.frozen(kw_only=True, repr=False)
class WrongData(HeadraceError):
    """{where}: {why}"""

    where: str
    why: str

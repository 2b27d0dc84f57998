"""Storages that have a name, their secrets, and the keys that were reserved in storages."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

import attrs
import pytest

from headrace.errors import (
    AlreadyThere,
    ChangedMeanwhile,
    InvalidName,
    KeyRemoved,
    NotFound,
    NothingSeals,
    SecretUnresolved,
    StillNeeded,
    StorageUnusable,
    WrongData,
    WrongKey,
)
from headrace.ids import Ids
from headrace.model.choices import Choice
from headrace.model.deployments import Archive, Code, Deployment
from headrace.model.events import Event
from headrace.model.filters import EventFilter
from headrace.model.moves import Move
from headrace.model.runs import FlowRun
from headrace.model.states import State
from headrace.model.storages import SEALED, NamedStorage, Reserved, named
from headrace.orchestration.local_client import LocalClient
from headrace.orchestration.storages import Around
from headrace.ports.run_store import OpenRunStore
from headrace.reference.queue_matcher import FlowsMatcher
from headrace.reference.schedule import MomentsSchedule
from headrace.rules.decide import RuleBook
from headrace.testing.clock import START, FixedClock

DAY = timedelta(days=1, seconds=1)
S3 = Choice("s3", {"bucket": "b"})


class Vault:
    """Seals by numbers: what was sealed, nobody can tell from the reference. `removed` are keys that were deleted from storages."""

    def __init__(self) -> None:
        self.sealed: list[str] = []
        self.key = 1
        self.removed: list[tuple[str, str]] = []
        self.is_away = False

    def seal(self, secret: str) -> str:
        self.sealed.append(secret)
        return f"{SEALED}/{self.key}/{len(self.sealed) - 1}"

    def secret(self, reference: str) -> str:
        _, _, number = reference.rpartition("/")
        if not reference.startswith(f"{SEALED}/"):
            raise SecretUnresolved(reference=reference, why="it is looked up where it is used")
        return self.sealed[int(number)]

    def remove(self, choice: Choice, keys: Iterable[str]) -> None:
        if self.is_away:
            raise StorageUnusable(where=choice.name, why="it is away")
        self.removed += [(choice.name, key) for key in keys]


@pytest.fixture
def vault() -> Vault:
    return Vault()


@pytest.fixture
def client(store: OpenRunStore, clock: FixedClock, vault: Vault, told: list[Event]) -> LocalClient:
    around = Around(
        seal=vault.seal,
        secret=vault.secret,
        is_type=lambda name: name in ("s3", "local"),
        secrets_of=lambda name: {"hush"} if name == "s3" else (),
        places_of=lambda name: {"bucket"} if name == "s3" else (),
        remove=vault.remove,
    )
    return LocalClient.over(
        store,
        rules=RuleBook(),
        clock=clock,
        lease_seconds=20.0,
        ids=Ids(clock, seed=0),
        matcher=lambda name: FlowsMatcher(),
        schedule=lambda choice: MomentsSchedule(**choice.options),
        tell=told.append,
        around=around,
    )


def storage(name: str = "prod", **fields: Any) -> NamedStorage:
    """A storage as somebody gives it."""
    return NamedStorage(**{"id": f"id of {name}", "name": name, "choice": S3, "created": START, "updated": START, **fields})


# Storages


def test_secrets_are_sealed_and_never_shown(client: LocalClient, store: OpenRunStore, vault: Vault) -> None:
    """What is written out among secrets is kept as a reference that holds it sealed, deep inside too; a reference stays; lists show neither."""
    secrets = {"key": "K1", "deep": {"list": ["K2", 3], "env": "secret://env/X"}, "empty": ""}
    shown = client.put_storage(storage(), secrets)
    assert shown.choice == Choice("s3", {"bucket": "b", "key": SEALED, "deep": {"list": [SEALED, 3], "env": "secret://env/X"}, "empty": ""})
    assert client.read_storages() == [shown]
    with store.reading() as reading:
        assert "K1" not in repr(reading.storages())
        assert "K2" not in repr(reading.storages())
    assert vault.sealed == ["K1", "K2"]


def test_secrets_that_were_not_called_so_are_sealed_too(client: LocalClient, vault: Vault) -> None:
    """Where the class is known its secret options are, and whatever is called a secret; so nobody can have one kept by mistake."""
    shown = client.put_storage(storage(choice=Choice("s3", {"hush": "A", "db_password": "B", "bucket": "b"})), {})
    assert shown.choice.options == {"hush": SEALED, "db_password": SEALED, "bucket": "b"}
    assert vault.sealed == ["A", "B"]


def test_a_storage_is_opened(client: LocalClient, told: list[Event]) -> None:
    """What is sealed stands in its place, other references stay for whoever uses them; an event tells who has got secrets, and none where there are none."""
    client.put_storage(storage(), {"key": "K1", "other": "secret://env/X"})
    told.clear()
    assert client.open_storage("prod", "leo") == Choice("s3", {"bucket": "b", "key": "K1", "other": "secret://env/X"})
    assert [(event.kind, event.details) for event in told] == [("storage.opened", {"name": "prod", "user": "leo"})]
    assert "K1" not in repr(client.wait_for_events(EventFilter(), 0))
    client.put_storage(storage("open"), {})
    told.clear()
    assert client.open_storage("open", "leo") == S3
    assert told == []
    with pytest.raises(NotFound, match="no storage 'gone'"):
        client.open_storage("gone", "leo")


def test_what_is_shown_can_be_given_back(client: LocalClient, vault: Vault) -> None:
    """The mark of a sealed secret means the same secret; a new secret takes its place, and what is left out is gone."""
    shown = client.put_storage(storage(), {"key": "K1", "deep": {"list": ["K2"]}})
    again = client.put_storage(attrs.evolve(shown, choice=Choice("s3", {**shown.choice.options, "bucket": "c"})), {})
    assert (again.revision, again.choice.options["bucket"]) == (1, "c")
    assert client.open_storage("prod", "leo").options == {"bucket": "c", "key": "K1", "deep": {"list": ["K2"]}}
    client.put_storage(attrs.evolve(again, choice=Choice("s3", {"bucket": "c"})), {"key": "K3"})
    assert client.open_storage("prod", "leo").options == {"bucket": "c", "key": "K3"}
    assert vault.sealed == ["K1", "K2", "K3"]


def test_no_reference_can_be_brought(client: LocalClient) -> None:
    """Who has seen a sealed reference somewhere cannot have it opened by a storage of their own; a mark without a secret is refused too."""
    client.put_storage(storage(), {"key": "K1"})
    for options, secrets in (({"bucket": f"{SEALED}/1/0"}, {}), ({}, {"key": [f"{SEALED}/1/0"]})):
        with pytest.raises(WrongData, match="is made here alone"):
            client.put_storage(storage("thief", choice=Choice("s3", options)), secrets)
    with pytest.raises(WrongData, match="there is none; write the secret itself"):
        client.put_storage(storage("thief"), {"key": SEALED})
    with pytest.raises(WrongData, match="there is none"):
        client.put_storage(storage("thief"), {"key": {"deep": [SEALED]}})


@pytest.mark.parametrize(
    ("wrong", "error", "why"),
    [
        ({"name": "s3"}, WrongData, "that is a type of storage"),
        ({"name": "named"}, WrongData, "that is a type of storage"),
        ({"name": "a/b"}, InvalidName, "storage name 'a/b' cannot be used"),
        ({"choice": named("other")}, WrongData, "is of a type, and not another one by its name"),
    ],
)
def test_what_no_storage_may_be(client: LocalClient, wrong: dict[str, Any], error: type[Exception], why: str) -> None:
    """A name that means something else, one that cannot be a name, and a storage that is another one."""
    with pytest.raises(error, match=why):
        client.put_storage(storage(**wrong), {})
    assert client.read_storages() == []


def test_changes(client: LocalClient, clock: FixedClock, told: list[Event]) -> None:
    """Name and type stay; a change of what is no longer so is refused; the same again is no change, and no event."""
    first = client.put_storage(storage(), {"key": "K"})
    assert client.put_storage(first, {}) == first
    assert [event.kind for event in told] == ["storage.changed"]
    with pytest.raises(WrongData, match="its name stays 'prod'"):
        client.put_storage(attrs.evolve(first, name="new"), {})
    with pytest.raises(WrongData, match="its type stays 's3'"):
        client.put_storage(attrs.evolve(first, choice=Choice("local", {"path": "x"})), {})
    with pytest.raises(AlreadyThere, match="there is a storage 'prod' already"):
        client.put_storage(storage(id="another"), {})
    clock.advance(5)
    second = client.put_storage(attrs.evolve(first, choice=Choice("s3", {"bucket": "c"})), {})
    assert (second.revision, second.created, second.updated - second.created) == (1, first.created, timedelta(seconds=5))
    with pytest.raises(ChangedMeanwhile, match="storage 'prod' was changed by somebody else"):
        client.put_storage(attrs.evolve(first, choice=Choice("s3", {"bucket": "d"})), {})


def test_the_default(client: LocalClient) -> None:
    """At most one storage is the default; a change of a storage leaves that as it is."""
    folder = client.read_place().folder
    assert client.read_place().storage is None
    one, two = (client.put_storage(storage(name), {}) for name in ("one", "two"))
    assert client.set_default_storage(one.id).is_default
    assert client.set_default_storage(two.id).is_default
    assert [each.name for each in client.read_storages() if each.is_default] == ["two"]
    changed = client.put_storage(attrs.evolve(two, choice=Choice("s3", {"bucket": "z"})), {})
    assert changed.is_default
    assert (client.read_place().storage, client.read_place().folder) == (named("two"), folder)
    client.reset_default_storage()
    client.reset_default_storage()
    assert client.read_place().storage is None
    with pytest.raises(NotFound):
        client.set_default_storage("gone")


def test_resealing(client: LocalClient, store: OpenRunStore, vault: Vault) -> None:
    """All that is sealed is sealed by the newest key, and means the same; other references are left."""
    client.put_storage(storage(), {"key": "K1", "deep": ["K2"], "env": "secret://env/X"})
    before = client.read_storages()
    vault.key = 2
    assert client.reseal_storages() == 2
    with store.reading() as reading:
        assert f"{SEALED}/1/" not in repr(reading.storages())
    assert client.open_storage("prod", "leo").options == {"bucket": "b", "key": "K1", "deep": ["K2"], "env": "secret://env/X"}
    assert client.read_storages() == before


def test_without_what_seals(client: LocalClient, store: OpenRunStore) -> None:
    """A secret that is written out is refused where nothing can seal it; nothing is kept."""
    bare = attrs.evolve(client, storages=attrs.evolve(client.storages, around=Around()))
    with pytest.raises(NothingSeals):
        bare.put_storage(storage(), {"key": "K1"})
    assert bare.read_storages() == []
    assert bare.put_storage(storage(), {"key": "secret://env/K1"}).choice.options["key"] == "secret://env/K1"


# Keys


def archive(letter: str, **fields: Any) -> Archive:
    """An archive of code."""
    return Archive(sha256=letter * 64, files=1, size=1, **fields)


def deploy(client: LocalClient, found: Archive, name: str = "d") -> Deployment:
    """A deployment whose code that is."""
    made = Deployment(id=name, name=name, flow_name="f", code=Code(entrypoint="m:f", archive=found), created=START, updated=START)
    (kept,) = client.put_deployments((made,))
    return kept


def run(client: LocalClient, run_id: str) -> None:
    """A run that is remembered."""
    state = attrs.evolve(State.running(), timestamp=START)
    client.create_flow_run(FlowRun(id=run_id, name=run_id, state=state, created=START, flow_name="f", root_id=run_id))


def unneeded(client: LocalClient) -> list[tuple[str, str]]:
    """What may be removed."""
    return [(each.storage.name, each.key) for each in client.read_unneeded_keys(None, 100)]


def test_only_what_was_reserved_long_ago_and_nothing_names_is_unneeded(client: LocalClient, clock: FixedClock) -> None:
    """Code that a version of a deployment has, whether it has it still, stays, but in the storage where that has it; so do results of runs that are
    remembered, and keys of other kinds."""
    client.put_storage(storage(), {})
    kept, moved, gone = archive("a"), archive("b", storage=named("prod")), archive("c")
    for choice, keys in (
        (Choice("local"), (kept.name, moved.name, gone.name, "results/known/", "results/gone/", "check/x")),
        (named("prod"), (kept.name, moved.name)),
    ):
        client.reserve_keys(choice, keys)
    deploy(client, kept)
    deploy(client, moved)
    run(client, "known")
    assert unneeded(client) == []
    clock.advance(DAY.total_seconds())
    assert unneeded(client) == [("local", moved.name), ("local", gone.name), ("local", "results/gone/")]
    client.delete_deployment("d")
    assert ("named", moved.name) in unneeded(client)
    first = client.read_unneeded_keys(None, 1)
    assert client.read_unneeded_keys(first[0], 1) == client.read_unneeded_keys(None, 2)[1:]


def test_what_is_reserved_anew_is_young(client: LocalClient, clock: FixedClock, store: OpenRunStore) -> None:
    """Who deploys the same code again has a day for it; within an hour nothing is written for that."""
    client.reserve_keys(S3, (archive("a").name,))
    clock.advance(60)
    before = store.version()
    client.reserve_keys(S3, (archive("a").name,))
    assert store.version() == before
    clock.advance(DAY.total_seconds())
    client.reserve_keys(S3, (archive("a").name,))
    assert unneeded(client) == []


def test_removing(client: LocalClient, clock: FixedClock) -> None:
    """What is needed by now is not removed; while a key is removed nobody may write it, until that is done, or for an hour."""
    keys = tuple(archive(letter).name for letter in "ab")
    client.reserve_keys(S3, keys)
    clock.advance(DAY.total_seconds())
    found = client.read_unneeded_keys(None, 10)
    deploy(client, archive("a"))
    (going,) = client.begin_removing(tuple(found))
    assert going.key == archive("b").name
    with pytest.raises(KeyRemoved, match="is just being removed"):
        client.reserve_keys(S3, keys)
    client.reserve_keys(Choice("gcs", {"bucket": "b"}), keys)
    client.end_removing((going,))
    client.reserve_keys(S3, keys)
    clock.advance(DAY.total_seconds())
    client.begin_removing(tuple(client.read_unneeded_keys(None, 10)))
    clock.advance(3601)
    client.reserve_keys(S3, keys)


def test_what_was_reserved_meanwhile_stays_known(client: LocalClient, clock: FixedClock) -> None:
    """Who began to remove a key and was thought dead does not make it forgotten that somebody has written it since."""
    client.reserve_keys(S3, (archive("b").name,))
    clock.advance(DAY.total_seconds())
    going = client.begin_removing(tuple(client.read_unneeded_keys(None, 10)))
    clock.advance(3601)
    client.reserve_keys(S3, (archive("b").name,))
    client.end_removing(tuple(going))
    clock.advance(DAY.total_seconds())
    assert unneeded(client) == [("s3", archive("b").name)]


def test_results_go_with_their_run(client: LocalClient, vault: Vault) -> None:
    """They are deleted from each storage that they were reserved in, in the folder of the store; what cannot be is left for later."""
    folder = client.read_place().folder
    client.put_storage(storage(), {})
    for run_id in ("one", "two"):
        run(client, run_id)
        client.reserve_results(run_id, named("prod"))
        client.reserve_results(run_id, S3)  # which the run describes itself, so that it is not remembered
        client.move_flow_run(Move(id=f"end {run_id}", run_id=run_id, state=State.completed()))
    client.reserve_results("one", Choice("local"))
    client.delete_flow_run("one")
    assert sorted(vault.removed) == [("local", f"{folder}/results/one/"), ("named", f"{folder}/results/one/")]
    vault.is_away = True
    client.delete_flow_run("two")
    with client.store.reading() as reading:
        assert [each.key for each in reading.reserved(["results/one/", "results/two/"])] == ["results/two/"]


@pytest.mark.parametrize("state", [State.running(), State.crashed("gone")])
def test_what_a_deleted_run_writes_yet_is_removed_later(client: LocalClient, clock: FixedClock, vault: Vault, state: State) -> None:
    """Its process may go on for a while, or be there though it was thought dead, and knows where its results go: that stays known for a day from then
    on, and is removed with whatever came, by whoever collects garbage."""
    run(client, "one")
    client.reserve_results("one", Choice("local"))
    if state.is_terminal():
        client.move_flow_run(Move(id="end", run_id="one", state=state))
    clock.advance(2 * DAY.total_seconds())
    client.delete_flow_run("one")
    assert [place for _, place in vault.removed] == [f"{client.read_place().folder}/results/one/"]
    assert unneeded(client) == []
    clock.advance(DAY.total_seconds())
    assert unneeded(client) == [("local", "results/one/")]


def test_a_storage_with_keys_is_not_forgotten(client: LocalClient) -> None:
    """Unless they are abandoned first."""
    kept = client.put_storage(storage(), {})
    client.reserve_keys(named("prod"), tuple(f"results/{number}/" for number in range(3)))
    with pytest.raises(StillNeeded, match="storage 'prod' has 3 keys"):
        client.delete_storage(kept.id)
    client.abandon_keys(kept.id)
    client.delete_storage(kept.id)
    assert client.read_storages() == []
    for ask in (client.delete_storage, client.abandon_keys):
        with pytest.raises(NotFound):
            ask(kept.id)


def test_where_a_storage_is_stays_while_keys_are_known(client: LocalClient) -> None:
    """Else what is there would not be found any more; all else may change."""
    kept = client.put_storage(storage(), {"key": "K"})
    client.reserve_results("run", named("prod"))
    moved = attrs.evolve(kept, choice=Choice("s3", {**kept.choice.options, "bucket": "c"}))
    with pytest.raises(StillNeeded, match="storage 'prod' has 1 key "):
        client.put_storage(moved, {})
    changed = client.put_storage(kept, {"key": "new"})
    client.abandon_keys(kept.id)
    assert client.put_storage(attrs.evolve(moved, revision=changed.revision), {}).choice.options["bucket"] == "c"


@pytest.mark.parametrize(
    ("secrets", "wrong"), [({"key": 5}, "key"), ({"deep": {"password": 1, "port": 22}}, "password"), ({"key": True}, "key")]
)
def test_a_secret_is_a_text(client: LocalClient, secrets: dict[str, Any], wrong: str) -> None:
    """A number would be kept and shown as it is; of what has parts, those count that are called secrets."""
    with pytest.raises(WrongData, match=f"{wrong} is a secret, and must be text"):
        client.put_storage(storage(), secrets)
    assert client.put_storage(storage(), {"deep": {"password": "p", "port": 22, "deeper": [{"n": 1}]}}).choice.options["deep"]["port"] == 22


def test_no_secret_is_reserved_with_a_key(client: LocalClient) -> None:
    """What is kept of a reservation is shown to those who look."""
    with pytest.raises(WrongData, match="option 'hush' is a secret that is written out"):
        client.reserve_keys(Choice("s3", {"hush": "written"}), ("code/x",))
    client.reserve_keys(Choice("s3", {"hush": "secret://env/X"}), ("code/x",))


def test_what_cannot_be_reserved(client: LocalClient) -> None:
    """A name that no storage has, what is no key, and too many at once."""
    with pytest.raises(NotFound, match="no storage 'gone'"):
        client.reserve_keys(named("gone"), ("code/x",))
    with pytest.raises(WrongKey):
        client.reserve_keys(S3, ("../code/x",))
    with pytest.raises(WrongData, match="at most 1000 keys"):
        client.reserve_keys(S3, tuple(f"code/{number}" for number in range(1001)))


def test_a_store_keeps_its_folder(client: LocalClient, store: OpenRunStore) -> None:
    """It is made once, and is the store's, whoever asks."""
    folder = client.read_place().folder
    assert folder == client.reserve_keys(S3, ("code/x",)).folder == client.read_place().folder
    assert client.reserve_keys(S3, ("code/x",)).key("code/x") == f"{folder}/code/x"
    assert Reserved(storage=S3, key="code/x", at=START).removing is None

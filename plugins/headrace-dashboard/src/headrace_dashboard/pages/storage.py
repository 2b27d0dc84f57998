"""One storage: what it is, whether it works, and changing it; and the page on which one is made."""

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from itertools import islice
from urllib.parse import quote as in_path

import attrs

from headrace.errors import NotFound
from headrace.model.choices import Choice
from headrace.model.deployments import Deployment
from headrace.model.filters import DeploymentFilter, all_of
from headrace.model.storages import NamedStorage, name_in, named
from headrace.storing import keeping
from headrace.storing.fields import Field, check_outlives, fields_of, may_be_named
from headrace.storing.trying import Step, said, tried
from headrace_dashboard.forms import Form
from headrace_dashboard.numbers import whole_number
from headrace_dashboard.storage_form import Asked, asked, changed, read, shown
from headrace_dashboard.view import Done, View

MOST_LOOKED_AT = 1_000
"""As many deployments are looked at for those whose code is in it."""

NAMED = 20


class NewStoragePage(View):
    """Where one is made."""

    template = "storage_new.html"
    section = "storages"

    @property
    def title(self) -> str:  # type: ignore[override]
        return f"New storage of type {self.type}"

    @property
    def type(self) -> str:
        return self.place("type")

    @cached_property
    def summary(self) -> str:
        """The line of its type."""
        return self.house.registry.offer("storage", self.type).provider.summary

    @cached_property
    def fields(self) -> Sequence[Field]:
        check_outlives(self.type, is_lasting=may_be_named(self.house.registry, self.type))
        return fields_of(self.house.registry, self.type)

    @property
    def questions(self) -> Sequence[Asked]:
        """What is asked for."""
        return asked(self.fields, {}, self.typed if self.typed.text("do") else None)

    def do_create(self, form: Form) -> Done:
        """Tries it, and keeps it."""
        choice = Choice(self.type, read(self.fields, form))
        kept = keeping.created(self.house, form.text("name"), choice, _check(form))
        if form.text("is_default"):
            self.client.set_default_storage(kept.id)
        tells = "" if form.text("is_unchecked") else ", and it works"
        return Done(f"Storage {kept.name} was created{tells}.", to=self.link(f"storages/{in_path(kept.name, safe='')}"))


class StoragePage(View):
    """How one is."""

    template = "storage.html"
    section = "storages"
    at = "storage"

    @cached_property
    def storage(self) -> NamedStorage:
        given = self.place("storage")
        found = next((each for each in self.client.read_storages() if given in (each.name, each.id)), None)
        if found is None:
            raise NotFound(what="storage", name=given, command="storage ls")
        return found

    @property
    def title(self) -> str:  # type: ignore[override]
        return self.storage.name

    @cached_property
    def is_installed(self) -> bool:
        """Whether the server has what its type needs."""
        return self.house.registry.has("storage", self.storage.choice.name)

    @cached_property
    def fields(self) -> Sequence[Field]:
        return fields_of(self.house.registry, self.storage.choice.name) if self.is_installed else []

    @property
    def options(self) -> Mapping[str, str]:
        """Its options, without secrets."""
        return {name: shown(value) for name, value in self.storage.choice.options.items()}

    @property
    def is_typed(self) -> bool:
        """Whether the form was filled in."""
        return self.typed.text("do") == "save"

    @property
    def questions(self) -> Sequence[Asked]:
        """What is asked for."""
        return asked(self.fields, self.storage.choice.options, self.typed if self.is_typed else None)

    # Who has code in it

    @cached_property
    def users(self) -> Sequence[Deployment]:
        """Deployments whose code is in it."""
        return [each for each in self._deployments() if self._is_user(each)]

    def _is_user(self, deployment: Deployment) -> bool:
        archive = deployment.code.archive
        return archive is not None and archive.storage is not None and name_in(archive.storage) == self.storage.name

    def _deployments(self) -> Iterator[Deployment]:
        return islice(all_of(self.client.read_deployments, DeploymentFilter()), MOST_LOOKED_AT)

    # What can be done

    steps: Sequence[Step] = ()
    """What was tried just now."""

    @property
    def fault(self) -> str:
        """Why it cannot be used; empty where all that was tried works."""
        return said(self.steps[-1]) if self.steps and self.steps[-1].fault is not None else ""

    def do_check(self, _: Form) -> None:
        """Tries it from where the server is."""
        key = self.client.read_place().key(f"check/{self.house.ids.new()}")
        self.steps = tuple(tried(self.house.storage(named(self.storage.name)), key))

    def do_default(self, _: Form) -> Done:
        """Lets code and results go there if nothing else is said."""
        self.client.set_default_storage(self.storage.id)
        return Done(f"Code and results go to {self.storage.name} where nothing else is said.")

    def do_reset(self, _: Form) -> Done:
        """Lets no storage be the default."""
        self.client.reset_default_storage()
        return Done("No storage is the default.")

    def do_save(self, form: Form) -> Done:
        """Tries what was typed, and keeps it."""
        number = whole_number(form.text("revision"))
        seen = attrs.evolve(self.storage, revision=-1 if number is None else number)
        kept = keeping.changed(
            self.house,
            seen,
            lambda options: changed(self.fields, form, options),
            f"{self.who or 'somebody'} at the dashboard",
            _check(form),
            is_forced=bool(form.text("is_forced")),
        )
        return Done(f"Storage {kept.name} was changed.")

    @property
    def is_to_be_deleted(self) -> bool:
        """Whether that is to be said yes to."""
        return self.typed.text("do") in ("ask", "delete")

    def do_ask(self, _: Form) -> None:
        """Asks whether it is to be deleted."""

    def do_delete(self, form: Form) -> Done:
        """Forgets it; what lies in it stays."""
        name = self.storage.name
        if form.text("is_forced"):
            self.client.abandon_keys(self.storage.id)
        self.client.delete_storage(self.storage.id)
        return Done(f"Storage {name} was deleted; what lies in it is still there.", to=self.link("storages"))


def _check(form: Form) -> keeping.Check | None:
    return None if form.text("is_unchecked") else keeping.must_work

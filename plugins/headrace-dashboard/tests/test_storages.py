"""Storages: the list, making, checking and changing one, and that no secret is on any page."""

from html import unescape
from pathlib import Path
from re import sub
from typing import Any

import attrs
import pytest

from headrace.model.choices import Choice
from headrace.model.deployments import Archive, Code
from headrace.model.storages import SEALED, NamedStorage, named

SECRET = "hunter-two"


def words(html: str) -> str:
    """What a page says."""
    return " ".join(unescape(sub(r"<[^>]+>", " ", html)).split())


def storages(site: Any) -> dict[str, NamedStorage]:
    """All storages, by name."""
    return {each.name: each for each in site.house.client.read_storages()}


def stored(site: Any, name: str, kind: str, secrets: dict[str, Any] | None = None, **options: Any) -> NamedStorage:
    """A storage that is there."""
    now = site.house.clock.now()
    made = NamedStorage(id=site.house.ids.new(), name=name, choice=Choice(kind, options), created=now, updated=now)
    kept: NamedStorage = site.house.client.put_storage(made, secrets or {})
    return kept


def folder(tmp_path: Path) -> str:
    return str(tmp_path / "kept")


# The list


def test_there_is_none(site: Any) -> None:
    """The empty list tells what to type, and which types there are."""
    said = site.text("storages")
    assert "headrace storage create" in said
    assert "local A folder of this machine New…" in said
    assert "Where nothing else is said, code and results go to local." in said


def test_types_without_a_name(site: Any) -> None:
    """What is gone with its process cannot be made, nor the server's own."""
    html = site.page("storages")
    assert "storages/new/local" in html
    assert "storages/new/memory" not in html
    assert "storages/new/server" not in html
    assert site.http.get("storages/new/memory").status_code == 422
    assert site.http.get("storages/new/server").status_code == 422


def test_a_type_that_is_nothing(site: Any) -> None:
    """It is told where it would come from."""
    answer = site.http.get("storages/new/s3x")
    assert 400 <= answer.status_code < 500
    assert "no storage named" in words(answer.text)


def test_the_list(site: Any, tmp_path: Path) -> None:
    """Each with its type and options, and the default marked."""
    kept = stored(site, "here", "local", path=folder(tmp_path))
    site.house.client.set_default_storage(kept.id)
    said = site.text("storages")
    assert f"here Default path={folder(tmp_path)} local" in said
    assert "code and results go to here" in said


# Making one


def test_create(site: Any, tmp_path: Path) -> None:
    """It is tried first, kept in one form, and may be the default at once."""
    answer = site.post("storages/new/local", "create", name="here", is_default="yes", **{"option.path": folder(tmp_path)})
    assert answer.headers["location"] == "../../storages/here"
    kept = storages(site)["here"]
    assert kept.choice == Choice("local", {"path": folder(tmp_path)})
    assert kept.is_default
    assert not [path for path in Path(folder(tmp_path)).rglob("*") if path.is_file()], "what was tried is gone"


def test_what_does_not_work_is_not_kept(site: Any, tmp_path: Path) -> None:
    """And it is told why; what was typed stands there still."""
    (tmp_path / "file").write_text("")
    answer = site.post("storages/new/local", "create", name="here", **{"option.path": str(tmp_path / "file" / "below")})
    assert 400 <= answer.status_code < 600
    assert "nothing was kept, since it cannot be used" in words(answer.text)
    assert str(tmp_path / "file" / "below") in answer.text
    assert storages(site) == {}


def test_kept_without_trying(site: Any, tmp_path: Path) -> None:
    """Who knows better may keep it all the same."""
    (tmp_path / "file").write_text("")
    path = str(tmp_path / "file" / "below")
    assert (
        site.said("storages/new/local", "create", name="here", is_unchecked="yes", **{"option.path": path}) == "Storage here was created."
    )
    assert list(storages(site)) == ["here"]


@pytest.mark.parametrize(
    ("kind", "typed", "why"),
    [
        ("local", {"name": "x"}, "path='' cannot be used: it is needed"),
        ("local", {"name": "a/b", "option.path": "/p"}, "cannot be used: it must be one line"),
        ("local", {"name": "taken", "option.path": "/p"}, "there is a storage 'taken' already"),
        ("file", {"name": "x", "option.url": "memory://x", "option.options": "port"}, "line 1 is not in the form NAME=VALUE"),
        ("file", {"name": "x", "option.url": "memory://x", "option.options": "a=1\na=2"}, "its part 'a' is given twice"),
        ("file", {"name": "x", "option.url": "memory://x", "option.options": "{1}"}, "it is no JSON"),
    ],
)
def test_what_is_wrong_is_told(site: Any, tmp_path: Path, kind: str, typed: dict[str, str], why: str) -> None:
    """Nothing is kept of it."""
    stored(site, "taken", "local", path=folder(tmp_path))
    answer = site.post(f"storages/new/{kind}", "create", **typed)
    assert 400 <= answer.status_code < 500
    assert why in words(answer.text)
    assert f'name="name" value="{typed["name"]}"' in answer.text
    assert list(storages(site)) == ["taken"]


def test_parts(site: Any, tmp_path: Path) -> None:
    """An option with parts is typed line by line, or as JSON; what is JSON in a line is not a text."""
    url = f"file://{tmp_path}/a"
    typed = {"option.url": url, "option.options": 'auto_mkdir=true\nuse_listings_cache = "no"'}
    site.said("storages/new/file", "create", name="lines", is_unchecked="yes", **typed)
    typed["option.options"] = '{"auto_mkdir": true, "use_listings_cache": "no"}'
    site.said("storages/new/file", "create", name="whole", is_unchecked="yes", **typed)
    wanted = {"auto_mkdir": True, "use_listings_cache": "no"}
    opened = {name: site.house.client.open_storage(name, "a test").options["options"] for name in ("lines", "whole")}
    assert opened == {"lines": wanted, "whole": wanted}


# Secrets


def test_a_secret_is_on_no_page(site: Any) -> None:
    """Not on that where it was typed, where it is asked for again, nor on any other."""
    typed = {"option.api_address": "http://127.0.0.1:9/api", "option.token": SECRET}
    wrong = site.post("storages/new/kv", "create", name="a/b", **typed)
    assert SECRET not in wrong.text
    assert "Type the secret once more" in wrong.text
    assert 'type="password" name="option.token" value=""' in wrong.text
    site.said("storages/new/kv", "create", name="shelf", is_unchecked="yes", **typed)
    assert site.house.client.open_storage("shelf", "a test").options["token"] == SECRET
    for page in ("storages", "storages/shelf"):
        assert SECRET not in site.page(page)
        assert SEALED not in site.page(page)
    assert "token ***" in site.text("storages/shelf")


def test_a_reference_is_no_secret(site: Any) -> None:
    """It stands where it was typed, and on the page."""
    typed = {"option.api_address": "http://127.0.0.1:9/api", "option.token": "secret://env/KV_TOKEN"}
    wrong = site.post("storages/new/kv", "create", name="a/b", is_unchecked="yes", **typed)
    assert 'value="secret://env/KV_TOKEN"' in wrong.text
    site.said("storages/new/kv", "create", name="shelf", is_unchecked="yes", **typed)
    assert "token secret://env/KV_TOKEN" in site.text("storages/shelf")
    assert storages(site)["shelf"].choice.options["token"] == "secret://env/KV_TOKEN"


def test_a_secret_that_is_not_found(site: Any) -> None:
    """What it refers to is told, with what to do."""
    typed = {"option.api_address": "http://127.0.0.1:9/api", "option.token": "secret://env/NOWHERE_TO_BE_FOUND"}
    wrong = site.post("storages/new/kv", "create", name="shelf", **typed)
    assert "NOWHERE_TO_BE_FOUND" in words(wrong.text)
    assert storages(site) == {}


def test_parts_that_are_secrets(site: Any) -> None:
    """A password in a line is not shown again; the other lines are, unless all of it is a secret."""
    typed = {"option.url": "nonsense", "option.options": f"username=leo\npassword={SECRET}"}
    wrong = site.post("storages/new/file", "create", name="f", **typed)
    assert SECRET not in wrong.text
    assert "Type the secret once more" in wrong.text


# One storage


def test_check(site: Any, tmp_path: Path) -> None:
    """Each step with its time, and nothing is left behind."""
    stored(site, "here", "local", path=folder(tmp_path))
    answer = site.post("storages/here", "check")
    assert answer.status_code == 200
    said = words(answer.text)
    for step in ("put", "read back", "list", "delete"):
        assert step in said
    assert said.count("works") == 4
    assert "It can be used from the server." in said
    assert not [path for path in Path(folder(tmp_path)).rglob("*") if path.is_file()]


def test_check_tells_what_is_wrong(site: Any, tmp_path: Path) -> None:
    """The step that did not work has its reason."""
    (tmp_path / "file").write_text("")
    stored(site, "here", "local", path=str(tmp_path / "file" / "below"))
    said = words(site.post("storages/here", "check").text)
    assert "It can be used" not in said
    assert "cannot be used" in said


def test_default(site: Any, tmp_path: Path) -> None:
    """One is the default from now on, or none."""
    stored(site, "here", "local", path=folder(tmp_path))
    assert site.said("storages/here", "default") == "Code and results go to here where nothing else is said."
    assert storages(site)["here"].is_default
    assert site.said("storages/here", "reset") == "No storage is the default."
    assert not storages(site)["here"].is_default


def test_change(site: Any, tmp_path: Path) -> None:
    """What was typed takes the place of what was, after it was tried."""
    kept = stored(site, "here", "local", path=folder(tmp_path))
    assert f'name="option.path" value="{folder(tmp_path)}"' in site.page(f"storages/{kept.id}")
    typed = {"option.path": str(tmp_path / "other"), "revision": kept.revision}
    assert site.said("storages/here", "save", **typed) == "Storage here was changed."
    assert storages(site)["here"].choice.options == {"path": str(tmp_path / "other")}


def test_a_secret_stays(site: Any) -> None:
    """Of a secret nothing need be typed; it is replaced, or taken away, where that is said."""
    site.said(
        "storages/new/kv",
        "create",
        name="shelf",
        is_unchecked="yes",
        **{"option.api_address": "http://127.0.0.1:9/api", "option.token": SECRET},
    )

    def save(**more: str) -> Any:
        kept = storages(site)["shelf"]
        typed = {"option.api_address": "http://127.0.0.1:9/api", "is_unchecked": "yes", "revision": kept.revision}
        site.said("storages/shelf", "save", **typed, **more)
        return site.house.client.open_storage("shelf", "a test").options.get("token")

    assert save(**{"option.prefix": "team"}) == SECRET
    assert storages(site)["shelf"].choice.options["prefix"] == "team"
    assert save(**{"option.token": "another"}) == "another"
    assert save(**{"unset.token": "yes"}) is None


def test_parts_are_changed(site: Any, tmp_path: Path) -> None:
    """Of a secret with parts those that are typed are changed, and the others stay; JSON replaces all."""
    url = f"file://{tmp_path}/a"
    typed = {"option.url": url, "option.options": f"auto_mkdir=true\npassword={SECRET}"}
    site.said("storages/new/file", "create", name="f", is_unchecked="yes", **typed)
    assert "Now: auto_mkdir, password" in site.text("storages/f")

    def save(options: str) -> Any:
        kept = storages(site)["f"]
        more = {"option.url": url, "option.options": options, "is_unchecked": "yes", "revision": kept.revision}
        site.said("storages/f", "save", **more)
        return site.house.client.open_storage("f", "a test").options["options"]

    assert save("auto_mkdir=false") == {"auto_mkdir": False, "password": SECRET}
    assert save('{"auto_mkdir": true}') == {"auto_mkdir": True}


def test_somebody_else_was_first(site: Any, tmp_path: Path) -> None:
    """A change of what is not any more is refused."""
    stored(site, "here", "local", path=folder(tmp_path))
    typed = {"option.path": str(tmp_path / "mine"), "revision": 7}
    answer = site.post("storages/here", "save", **typed)
    assert answer.status_code == 409
    assert str(tmp_path / "mine") in answer.text


def test_who_has_code_in_it(site: Any, tmp_path: Path) -> None:
    """Deployments are named, and told of before it is deleted, which takes a tick where keys are known."""
    kept = stored(site, "here", "local", path=folder(tmp_path))
    archive = Archive(sha256="0" * 64, files=1, size=1, storage=named("here"))
    made = site.deployment()
    site.deployment("there")
    site.house.client.put_deployments((attrs.evolve(made, code=Code(entrypoint="m:f", archive=archive)),))
    site.house.client.reserve_keys(named("here"), (archive.name,))
    said = site.text("storages/here")
    assert "etl/daily" in said
    assert "etl/there" not in said
    assert "1 deployment is in it" in words(site.post("storages/here", "ask").text)
    refused = site.post("storages/here", "delete")
    assert refused.status_code == 409
    assert "has 1 key of code or results" in words(refused.text)
    assert list(storages(site)) == ["here"]
    assert site.said(f"storages/{kept.id}", "delete", is_forced="yes") == "Storage here was deleted; what lies in it is still there."
    assert storages(site) == {}


def test_nobody_knows_it(site: Any) -> None:
    """A storage that is not there is told so."""
    answer = site.http.get("storages/nothing")
    assert answer.status_code == 404
    assert "headrace storage ls" in answer.text


def test_a_type_that_is_not_installed(site: Any) -> None:
    """It is shown all the same, and told what is missing; it cannot be changed here."""
    stored(site, "far", "vault", place="deep")
    html = site.page("storages/far")
    assert "is not installed where the server is" in words(html)
    assert "Change it" not in html

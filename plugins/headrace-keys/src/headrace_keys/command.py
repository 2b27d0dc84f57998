"""`headrace keys`: the keys that seal secrets, those that sign what is run, and those that are trusted to."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import attrs
import click

import headrace.instance
from headrace.cli import show
from headrace.errors import WrongData
from headrace_keys.sealing_keys import file_of, known_keys, pruned, rotated
from headrace_keys.signing_keys import PublicKey, created, deleted, names, public_half, public_key
from headrace_keys.trusted_keys import distrust as distrust_key
from headrace_keys.trusted_keys import trust as trust_key
from headrace_keys.trusted_keys import trusted_keys

if TYPE_CHECKING:
    from headrace.cli.invocation import Invocation
    from headrace.instance import Instance

MOST_CHARACTERS = 1000
"""As many of a file with a public key are read."""


@attrs.frozen(kw_only=True)
class Row:
    """A key as a list shows it; a sealing key has no name, and no public half."""

    use: str
    name: str | None = None
    fingerprint: str
    public: str | None = None


@click.group()
def keys() -> None:
    """Make keys that sign what is deployed, say whose signatures count here, and renew the key that seals secrets.

    They are files of this machine, which only their owner can read, in the folder that the setting keys_path names.
    """


# Signing


@keys.command()
@click.argument("name")
@show.json_option
@click.pass_obj
def create(invocation: "Invocation", name: str, as_json: bool) -> None:  # noqa: FBT001 - click calls by keyword
    """Make a key to sign with.

    Its public half is printed: give it to those whose agents are to run what you sign. The private half stays in a file here.

    \b
    headrace keys create ann
    headrace deployment create deployments.yaml --sign-with ann
    """
    _tell(name, created(invocation.settings.keys_path, name), as_json=as_json)


@keys.command("show")
@click.argument("name")
@show.json_option
@click.pass_obj
def show_key(invocation: "Invocation", name: str, as_json: bool) -> None:  # noqa: FBT001 - click calls by keyword
    """Print the public half of a key.

    It is to be given to those who are to trust the key.
    """
    _tell(name, public_half(invocation.settings.keys_path, name), as_json=as_json)


@keys.command()
@click.argument("name")
@show.json_option
@click.pass_obj
def delete(invocation: "Invocation", name: str, as_json: bool) -> None:  # noqa: FBT001 - click calls by keyword
    """Delete a key to sign with.

    What it has signed stays signed, as long as others trust the key.
    """
    deleted(invocation.settings.keys_path, name)
    _done(f"deleted signing key {name!r}", {"name": name, "is_deleted": True}, as_json=as_json)


# Trusting


@keys.command()
@click.argument("name")
@click.argument("public", required=False)
@click.option(
    "--file", "file", type=click.Path(path_type=Path, exists=True, dir_okay=False), metavar="FILE", help="Read the public half from a file."
)
@show.json_option
@click.pass_obj
def trust(invocation: "Invocation", name: str, public: str | None, file: Path | None, as_json: bool) -> None:  # noqa: FBT001 - click calls by keyword
    """Let what somebody signs be run here.

    PUBLIC is the public half of his key, as he sees it with `headrace keys show`; without it, it is your own key of that name. Compare the fingerprint
    with him in another way than the one by which the key came.

    \b
    headrace keys trust ann 11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=
    """
    if public is not None and file is not None:
        raise click.UsageError("PUBLIC and --file cannot be given together")
    folder = invocation.settings.keys_path
    key = _given(public, file) or public_half(folder, name)
    trust_key(folder, name, key)
    _done(f"{name!r} is trusted here: what key {key.fingerprint} signs is run", _row(name, key), as_json=as_json)


@keys.command()
@click.argument("name")
@show.json_option
@click.pass_obj
def distrust(invocation: "Invocation", name: str, as_json: bool) -> None:  # noqa: FBT001 - click calls by keyword
    """Take back the trust in a key.

    Nothing more is run here because of its signature; agents that are at work know at once.
    """
    distrust_key(invocation.settings.keys_path, name)
    _done(f"{name!r} is not trusted here any more", {"name": name, "is_trusted": False}, as_json=as_json)


# All


@keys.command()
@show.json_option
@click.pass_obj
def ls(invocation: "Invocation", as_json: bool) -> None:  # noqa: FBT001 - click calls by keyword
    """List keys.

    Those to sign with, those that are trusted, and those that seal secrets.
    """
    folder = invocation.settings.keys_path
    rows = [Row(use="signs", **_row(name, public_half(folder, name))) for name in names(folder)]
    rows += [Row(use="is trusted", **_row(name, key)) for name, key in trusted_keys(folder).items()]
    sealing = known_keys(folder)
    rows += [Row(use="seals secrets" if key == sealing[0] else "opens old secrets", fingerprint=key.id) for key in sealing]
    if as_json:
        show.json([attrs.asdict(row) for row in rows])
        return
    show.table(
        ("name", "use", "fingerprint"),
        [(row.name, row.use, row.fingerprint) for row in rows],
        empty="no keys yet; make one to sign with: headrace keys create NAME",
    )


@keys.command()
@show.json_option
@click.pass_obj
def rotate(invocation: "Invocation", as_json: bool) -> None:  # noqa: FBT001 - click calls by keyword
    """Make a new key to seal secrets with, and seal all secrets of the store anew with it.

    The keys before it stay, since they open what backups of the store have; `headrace keys prune` takes them away. A copy of the file of keys belongs in
    the backup, though not beside the store's.
    """
    folder = invocation.settings.keys_path
    with _store_at_hand(invocation) as house:
        house.client.reseal_storages()  # with the key that there is: what cannot be opened is told before there is another
        first, *others = rotated(folder)
        count = house.client.reseal_storages()
    said = f"key {first.id} seals secrets from now on; {_secrets(count)} sealed anew"
    answer = {"fingerprint": first.id, "file": str(file_of(folder)), "older": [key.id for key in others], "sealed_anew": count}
    _done(said, answer, as_json=as_json)


@keys.command()
@show.json_option
@click.pass_obj
def prune(invocation: "Invocation", as_json: bool) -> None:  # noqa: FBT001 - click calls by keyword
    """Take all keys away that seal secrets but the newest, with which all secrets of the store are sealed anew before.

    Secrets in backups of the store that are older than the newest key are lost by it, and so are those of other stores with the same keys.
    """
    folder = invocation.settings.keys_path
    with _store_at_hand(invocation) as house:
        count = house.client.reseal_storages()
        gone = pruned(folder)
    words = f"{len(gone)} older {'key is' if len(gone) == 1 else 'keys are'} gone; {_secrets(count)} sealed anew before"
    _done(words, {"removed": [key.id for key in gone], "file": str(file_of(folder)), "sealed_anew": count}, as_json=as_json)


@contextmanager
def _store_at_hand(invocation: "Invocation") -> "Iterator[Instance]":
    """The store whose secrets these keys seal. Raises click.ClickException where that is elsewhere, with keys of its own."""
    settings = invocation.settings
    if settings.api_url or settings.client:
        raise click.ClickException("the keys that seal secrets are where the server is; this command is to be given there")
    with headrace.instance.open(settings, registry=invocation.registry, lasting=True) as house:
        yield house


def _secrets(count: int) -> str:
    return f"{count} {'secret was' if count == 1 else 'secrets were'}"


def _given(public: str | None, file: Path | None) -> PublicKey | None:
    if public is not None:
        return public_key(public, where="PUBLIC")
    if file is None:
        return None
    with file.open("rb") as opened:
        content = opened.read(MOST_CHARACTERS)
    try:
        return public_key(content.decode(), where=str(file))
    except UnicodeDecodeError:
        raise WrongData(where=str(file), why="it is no text in UTF-8, and so no public key") from None


def _row(name: str, key: PublicKey) -> dict[str, str]:
    return {"name": name, "fingerprint": key.fingerprint, "public": key.text}


def _tell(name: str, key: PublicKey, *, as_json: bool) -> None:
    """The public half alone goes where results go."""
    if as_json:
        show.json(_row(name, key))
        return
    click.echo(key.text)
    show.remark(f"Its fingerprint is {key.fingerprint}; where it is to be trusted: headrace keys trust {name} {key.text}")


def _done(sentence: str, row: Mapping[str, object], *, as_json: bool) -> None:
    if as_json:
        show.json(row)
    else:
        click.echo(sentence)

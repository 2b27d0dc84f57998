"""`headrace server token`: who may ask this server, or the one that settings name."""

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import click

from headrace.cli import show
from headrace.errors import WrongData
from headrace.model.durations import duration

if TYPE_CHECKING:
    from headrace.cli.invocation import Invocation
    from headrace.model.tokens import Token

LEAST_SECRET = 32
"""With fewer characters a token can be guessed by who may try."""

SCOPES = ("viewer", "operator", "agent", "admin")
"""What a person may give; the scope `run` is for runs, which get their tokens by themselves."""


@click.group()
@click.option("--here", is_flag=True, help="Those of the run store of this machine, whatever address settings name.")
@click.pass_context
def token(ctx: click.Context, here: bool) -> None:  # noqa: FBT001 - click calls by keyword
    """Say who may ask the web API, and for what.

    It is asked itself where settings name its address, which takes the scope admin; else the run store of this machine is.
    """
    if here:
        ctx.obj = ctx.obj.here()


@token.command()
@click.argument("name")
@click.option(
    "--scope",
    type=click.Choice(SCOPES),
    required=True,
    help="viewer: look; agent: also take runs; operator: also deploy, start and cancel; admin: everything, tokens too.",
)
@click.option("--expires-in", metavar="TIME", help="How long it is good for: 90d, 12h; else until it is revoked.")
@click.option("--known", metavar="SECRET", help="A token that was made elsewhere, as secret://env/NAME: it is kept, once, and not printed.")
@show.json_option
@click.pass_obj
def create(
    invocation: "Invocation",
    name: str,
    scope: str,
    expires_in: str | None,
    known: str | None,
    as_json: bool,  # noqa: FBT001 - click calls by keyword
) -> None:
    """Make a token, and print it: this once.

    What is kept is enough to know it again, and not to make it. Whoever has it sets HEADRACE_API_TOKEN.

    \b
    headrace server token create ci --scope operator --expires-in 90d
    """
    from headrace import instance
    from headrace.model.tokens import Scope, Token, digest_of, written
    from headrace_server.tokens import new_secret

    lasts = None if expires_in is None else _lasts(expires_in)
    with instance.open(invocation.settings, registry=invocation.registry, lasting=True) as house:
        now = house.clock.now()
        token_id, secret = (house.ids.new(), new_secret()) if known is None else _parts(invocation, known)
        made = Token(
            id=token_id,
            name=name,
            scope=Scope(scope),
            created=now,
            expires=None if lasts is None else now + lasts,
            digest=digest_of(secret),
        )
        kept = house.client.create_token(made)
    if known is not None:
        show.json(_row(kept)) if as_json else show.remark(f"The token of {kept.name!r} is kept; it may do what {kept.scope} may.")
        return
    text = written(kept.id, secret)
    if as_json:
        show.json({**_row(kept), "token": text})
        return
    click.echo(text)
    show.remark(f"This token of {name!r} is shown once; whoever has it sets it with: headrace config set HEADRACE_API_TOKEN=...")


@token.command()
@show.json_option
@click.pass_obj
def ls(invocation: "Invocation", as_json: bool) -> None:  # noqa: FBT001 - click calls by keyword
    """List tokens, oldest first; what is secret in them is not known here."""
    from headrace import instance

    with instance.open(invocation.settings, registry=invocation.registry, lasting=True) as house:
        found = house.client.read_tokens()
        now = house.clock.now()
    if as_json:
        show.json([_row(each) for each in found])
        return
    rows = [
        (
            each.id,
            each.name,
            str(each.scope),
            show.age(each.created, now),
            "-" if each.expires is None else show.moment_ago(each.expires, now),
        )
        for each in found
    ]
    show.table(
        ("ID", "NAME", "SCOPE", "AGE", "EXPIRES"), rows, empty="no tokens; make one with: headrace server token create NAME --scope SCOPE"
    )


@token.command()
@click.argument("token_id", metavar="ID")
@show.json_option
@click.pass_obj
def revoke(invocation: "Invocation", token_id: str, as_json: bool) -> None:  # noqa: FBT001 - click calls by keyword
    """Forget a token: whoever has it is let in no more, from now on."""
    from headrace import instance

    with instance.open(invocation.settings, registry=invocation.registry, lasting=True) as house:
        house.client.revoke_token(token_id)
    if as_json:
        show.json({"id": token_id, "is_revoked": True})
    else:
        click.echo(f"revoked token {token_id}")


def _row(found: "Token") -> dict[str, Any]:
    return {"id": found.id, "name": found.name, "scope": str(found.scope), "created": found.created, "expires": found.expires}


def _parts(invocation: "Invocation", reference: str) -> tuple[str, str]:
    """The id and the secret of a token that is referred to. Raises SecretUnresolved, WrongData, BadParameter."""
    from headrace.hooks.secrets import SCHEME, is_reference
    from headrace.model.tokens import parted

    if not is_reference(reference):
        why = f"a token on the command line is seen by all who see the processes of this machine; give it as {SCHEME}env/NAME or {SCHEME}file/PATH"
        raise click.BadParameter(why, param_hint="'--known'")
    parts = parted(str(invocation.registry.secret(reference)))
    if parts is None or len(parts[1]) < LEAST_SECRET:
        raise WrongData(where=reference, why="it is no token of headrace, which `headrace server token create` prints")
    return parts


def _lasts(text: str) -> timedelta:
    where = f"--expires-in {text}"
    try:
        lasts = duration(text)
    except ValueError as error:
        raise WrongData(where=where, why=str(error)) from error
    if not lasts:
        raise WrongData(where=where, why="a token that has expired is of no use; write how long it is good for, as 90d")
    return lasts

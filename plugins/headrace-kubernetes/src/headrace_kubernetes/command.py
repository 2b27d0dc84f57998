"""`headrace kubernetes`: manifests for a cluster."""

import secrets
from collections.abc import Callable
from typing import Any, TypeVar

import click

from headrace.cli import show

C = TypeVar("C", bound=Callable[..., Any])


@click.group()
def kubernetes() -> None:
    """Bring headrace into a Kubernetes cluster."""


@kubernetes.group()
def manifest() -> None:
    """Print what `kubectl apply -f -` takes."""


def _common(name: str) -> Callable[[C], C]:
    """The options of what is printed, and where it is to be."""

    def with_options(command: C) -> C:
        for option in (
            click.option("--name", default=name, show_default=True, help="What its objects are called."),
            click.option("--namespace", default="default", show_default=True, help="Where they are."),
            click.option("--image", required=True, help="An image with headrace in it, such as registry.example.org/team/headrace:1."),
            click.option("--image-pull-policy", type=click.Choice(["Always", "IfNotPresent", "Never"]), help="When it is pulled."),
            click.option(
                "--secret", default="headrace-tokens", show_default=True, help="What the Secret with the tokens of the server is called."
            ),
        ):
            command = option(command)
        return command

    return with_options


@manifest.command()
@_common("headrace-server")
@click.option("--existing-secret", is_flag=True, help="The Secret is there already, with tokens under `admin` and `agent`: print none.")
@click.option("--storage", default="5Gi", show_default=True, metavar="SIZE", help="How large the volume of its home is.")
@click.option("--storage-class", metavar="NAME", help="Of which class that is; the cluster's usual one if not given.")
def server(
    name: str,
    namespace: str,
    image: str,
    image_pull_policy: str | None,
    secret: str,
    existing_secret: bool,  # noqa: FBT001 - click calls by keyword
    storage: str,
    storage_class: str | None,
) -> None:
    """Print a server: Deployment, Service, a volume for its home, and a Secret with its first tokens.

    The image has headrace, and needs no user of its own. What is printed holds new tokens each
    time: keep it to yourself, and give --existing-secret once they are in the cluster.

    \b
    headrace kubernetes manifest server --image registry.example.org/team/headrace:1 | kubectl apply -f -
    """
    from headrace_kubernetes import installing

    tokens = None if existing_secret else {scope: _new_token() for scope in installing.SCOPES}
    place = installing.Place(name=name, namespace=namespace, image=image, pull_policy=image_pull_policy)
    _print(installing.server(place, tokens=tokens, secret=secret, storage=storage, storage_class=storage_class))
    if tokens is not None:
        show.remark(
            f"What was printed holds new tokens, in the Secret {secret}: `admin` is yours, as HEADRACE_API_TOKEN, `agent` that of agents."
        )


@manifest.command()
@_common("headrace-agent")
@click.option("--api-url", metavar="ADDRESS", help="The API of the server as pods reach it; that of `manifest server` if not given.")
@click.argument("queues", metavar="QUEUE...", nargs=-1, required=True)
def agent(
    name: str,
    namespace: str,
    image: str,
    image_pull_policy: str | None,
    secret: str,
    api_url: str | None,
    queues: tuple[str, ...],
) -> None:
    """Print an agent: Deployment, service account, and the role that the flow runner `kubernetes` needs.

    The image has headrace and headrace-kubernetes. The agent starts each run in a Job of its own
    namespace, with the image that its deployment names. The queues must be there.

    \b
    headrace kubernetes manifest agent nightly --image registry.example.org/team/headrace:1 | kubectl apply -f -
    """
    from headrace_kubernetes import installing

    address = api_url or f"http://headrace-server.{namespace}:{installing.PORT}/api"
    place = installing.Place(name=name, namespace=namespace, image=image, pull_policy=image_pull_policy)
    _print(installing.agent(place, queues=queues, api_url=address, secret=secret))


def _print(manifests: list[dict[str, Any]]) -> None:
    import yaml

    class Plain(yaml.SafeDumper):
        def ignore_aliases(self, data: Any) -> bool:  # each value is written out, however often it is there
            return True

    click.echo(yaml.dump_all(manifests, Dumper=Plain, sort_keys=False), nl=False)


def _new_token() -> str:
    from uuid import uuid4

    from headrace.model.tokens import written

    return written(str(uuid4()), secrets.token_urlsafe(32))

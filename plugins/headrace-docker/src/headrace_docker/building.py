"""Building an image on the engine."""

import tempfile
from collections.abc import Iterator

from headrace.errors import ImageNotBuilt
from headrace_docker.context import write_context
from headrace_docker.daemon import Daemon
from headrace_docker.recipe import Recipe
from headrace_docker.troubles import Refused, one_line, why_no_image


def built(recipe: Recipe, tag: str) -> Iterator[str]:
    """Builds it, and gives each line that the engine and what it runs have to say. Raises ImageNotBuilt."""
    daemon = Daemon()
    try:
        with tempfile.TemporaryFile() as archive, daemon.asked() as api:
            write_context(recipe, archive)
            archive.seek(0)
            # without BuildKit, which a plain engine may not have
            for step in api.build(fileobj=archive, custom_context=True, tag=tag, rm=True, forcerm=True, decode=True):
                if "error" in step:
                    raise ImageNotBuilt(tag=tag, why=_why(str(step["error"]), recipe))
                yield from str(step.get("stream", "")).rstrip().splitlines()
    except Refused as error:
        raise ImageNotBuilt(tag=tag, why=str(error)) from error
    finally:
        daemon.close()


def _why(said: str, recipe: Recipe) -> str:
    if "returned a non-zero code" not in said:
        return why_no_image(said, recipe.base)
    way = "; it has a wheel for each of them, and for all that they need?" if recipe.wheels is not None else ""
    return f"{one_line(said)}; what pip says stands above{way}"

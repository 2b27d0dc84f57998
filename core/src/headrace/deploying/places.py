"""Where in a file something is written, so that it can be said where it is wrong."""

import attrs


@attrs.frozen(kw_only=True)
class Place:
    """A place, in words. Of what a program has made, no more is known than where it was made."""

    where: str

    def of(self, key: object) -> "Place":
        """The place of what stands under a key, or at a number in a list, as far as it is known."""
        return self

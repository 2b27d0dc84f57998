"""Where in a file something is written, so that it can be said where it is wrong."""

import attrs


@attrs.frozen(kw_only=True)
class Line:
    """A line of a file, in words. Of what a program has made, no more is known than the line that made it."""

    where: str

    def of(self, key: object) -> "Line":
        """The line of what stands under a key, or at a number in a list, as far as it is known."""
        return self

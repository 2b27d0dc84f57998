"""The port of serializers: how results become bytes."""

from typing import Any, BinaryIO, Protocol


class Serializer(Protocol):
    """Writes values and reads them back. A value itself: its fields are its options.

    Mark a provider `runs_code` where `load` can run code that the bytes chose (pickle); such a serializer is only used in a run's process.
    """

    def dump(self, value: Any, file: BinaryIO) -> None:
        """Writes the value. What comes back from `load` equals it, or dump raises NotSerializable: nothing is changed silently."""
        ...

    def load(self, file: BinaryIO) -> Any:
        """The value that was written. Raises WrongData for what it did not write."""
        ...

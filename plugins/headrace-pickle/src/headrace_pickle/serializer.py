"""Values as pickles, functions and classes of scripts included."""

import pickle
from typing import Any, BinaryIO

import attrs
import cloudpickle  # type: ignore[import-untyped]

from headrace.errors import NotSerializable, WrongData
from headrace.model.texts import said_by


@attrs.frozen(kw_only=True)
class PickleSerializer:
    """Almost any Python value. Reading a pickle runs code that whoever wrote it chose."""

    def dump(self, value: Any, file: BinaryIO) -> None:
        try:
            cloudpickle.dump(value, file, protocol=pickle.HIGHEST_PROTOCOL)
        except Exception as error:  # besides pickle's own, whatever the value's methods raise
            what = f"a value of type {type(value).__qualname__}"
            raise NotSerializable(what=what, serializer="pickle", why=said_by(error)) from error

    def load(self, file: BinaryIO) -> Any:
        try:
            return pickle.load(file)
        except Exception as error:  # damaged bytes raise almost anything, and so do the value's methods
            raise WrongData(where="a value kept as a pickle", why=_why(error)) from error


def _why(error: Exception) -> str:
    if isinstance(error, ModuleNotFoundError):
        return f"it needs module {error.name!r}, which is not installed here; install what the run that wrote it had"
    return said_by(error)

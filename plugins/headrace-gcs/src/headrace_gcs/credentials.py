"""Who asks: a service account, whoever this machine is for Google, or nobody. Nothing is asked here, and no error shows a key."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from google.auth import default
from google.auth.exceptions import GoogleAuthError
from google.oauth2.service_account import Credentials

_SCOPES = ("https://www.googleapis.com/auth/devstorage.read_write",)


def of_account(info: Mapping[str, Any]) -> Any:
    """Those of a service account. Raises ValueError with what is wrong with it."""
    try:
        return Credentials.from_service_account_info(dict(info), scopes=_SCOPES)  # type: ignore[no-untyped-call]
    except (GoogleAuthError, ValueError, TypeError, AttributeError) as error:
        raise ValueError("its private_key is none that can be read; download the account's key anew") from error


def in_file(path: str) -> Any:
    """What a file of Google's says, as JSON. Raises ValueError with what is wrong with the file."""
    try:
        return json.loads(Path(path).expanduser().read_bytes())
    except OSError as error:
        raise ValueError(f"it cannot be read here ({error.strerror or error})") from None
    except (ValueError, RuntimeError):
        raise ValueError("it is no JSON, which keys of service accounts are downloaded as") from None


def of_this_machine() -> Any:
    """Those that Google's own tools would find here. Raises ValueError with what is wrong with them."""
    try:
        credentials, _ = default(scopes=_SCOPES)
    except (GoogleAuthError, ValueError, OSError) as error:
        why = "no credentials are found: give service_account_info or service_account_file, or set them for this machine"
        raise ValueError(f"{why} ({str(error).partition('. ')[0]})") from error
    return credentials

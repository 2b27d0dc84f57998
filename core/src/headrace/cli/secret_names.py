"""Names of secrets: what is called so is one, or as likely one as not."""

import re

from headrace.hooks.secrets import names_secret

_BEFORE_KEY = (
    "access account admin aes api app application auth authentication cipher client crypto decryption deploy encrypt encryption fernet hmac"
    " jwt license master private root secret service session shared sign signature signing ssh ssl storage subscription tls webhook"
)
"""Words before `key` that tell that it is no key of a table."""

_KEYS = tuple(f"{word}[_-]?key" for word in _BEFORE_KEY.split())
_STRINGS = "conn(?:ection)?[_-]?str(?:ing)?"
_PASS = (
    r"""pass(?:(?<=\w[_-]pass)|(?<=--pass)|(?-i:(?<=[a-z]Pass))(?=\\{0,8}["'=]))(?!\\{0,8}["']?\s{0,8}[:=]\s{0,8}\d{1,3}\b)""",
    r"""pass(?<![\w-]pass)(?=\\{0,8}["']\s{0,8}[:=]\s{0,8}\\{0,8}["']|=(?!\d{1,3}\b))""",
)
"""It is a secret behind another word, or where nothing but a name can stand; a small number behind it counts what passed."""

_WORDS = (*_KEYS, _STRINGS, *"secret token password passwd passphrase passcode pgpass pwd credentials?".split(), *_PASS)


def _by_letter(words: tuple[str, ...]) -> str:
    """Any of the words, in whatever case: most places of a text are passed by at the first letter."""
    letters = sorted({word[0] for word in words})
    rests = {letter: "|".join(word[1:] for word in words if word[0] == letter) for letter in letters}
    return "|".join(f"(?-i:[{letter}{letter.upper()}])(?:{rest})" for letter, rest in rests.items())


IN_TEXT = rf"(?:{_by_letter(_WORDS)})(?:[_-]?(?:base64|base|b64|hash|pem|value|\d{{1,4}}))?"
"""How names of secrets end where they stand in a text, a pattern for no case. A mere `key` is mostly none there."""

_WORD = re.compile(
    r"\w*(?:secret|token|password|passphrase|credential|apikey)s?|passwd|\w+passwd|passcode|pgpass|pwd|authorization|cookies?"
)
_LAST = re.compile(rf"(?:.*_)?(?:pass|{'|'.join(_KEYS)}|{_STRINGS})")
_PLACES = frozenset({"file", "path", "dir", "folder"})
"""Last words of names of where a secret is, and not of what it is."""


def looks_secret(name: str) -> bool:
    """Whether what is called so is a secret, or as likely one as not: dbPassword, API-KEY, token_of_leo, DB_PASS, password1."""
    parted = re.sub(r"([a-z0-9])([A-Z])|([A-Z])(?=[A-Z][a-z])", lambda found: f"{found[1] or found[3]}_{found[2] or ''}", name)
    words = re.sub(r"[-. ]", "_", parted.lower())
    bare = re.sub(r"\d+(?=_|$)", "", words).rstrip("_")
    if names_secret(bare) or _LAST.fullmatch(bare):
        return True
    return bare.rpartition("_")[2] not in _PLACES and any(_WORD.fullmatch(word) for word in bare.split("_"))

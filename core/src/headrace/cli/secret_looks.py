"""The looks of secrets: what is one in any text, by how it begins or by what stands before it. No pattern reads a text more than a few times."""

import re
from collections.abc import Callable

from headrace.cli.secret_names import IN_TEXT

_BEGUN = r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----"
_TOKENS = r"gh[oprsu]_|github_pat_|glpat-|xox[abeoprs]-|sk-|sk_live_|rk_live_|hf_|npm_"
"""How the tokens of well-known services begin."""

_OTHERS = (
    r"SG\.|pypi-|hv[bsr]\.|do[opr]_v1_|ya29\.|gl(?:rt|ptt|cbt|dt|ft|soat)-|whsec_|gsk_|shp(?:at|ca|pa|ss)_|dckr_[op]at_|EAAC|xapp-"
    r"|[rs]k_test_|sntry[su]_|lin_api_|PMAK-|tskey-|AGE-SECRET-KEY-"
)
"""How others do, that are words of a text as well unless there is a digit or a capital behind."""

_BY_LOOKS = re.compile(
    "|".join(
        (
            _BEGUN + r".*?(?:-----END [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----|\Z)",
            r"(?<=://)[^/\s\"'<>]{1,300}(?=@)",  # who logs in at an address, and by what
            r"(?<=://)[^\s/@:\"'<>]{1,100}:(?!\d+/)[^\s@\"'<>]{0,300}(?=@)",  # by what has a slash in it
            r"\b(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}\b",
            r"(?<![\w-])eyJ[\w-]{5,}+\.[\w-]{5,}(?:\.[\w-]*)*",  # a JWT
            rf"\b(?:{_TOKENS})[\w-]{{16,}}",
            rf"(?<![\w/.])(?:{_OTHERS})(?=[\w.-]{{0,60}}?[A-Z0-9])[\w.=-]{{10,}}(?<!\.)",
            r"\bAIza[\w-]{30,}",
            r"\b\d{8,10}:AA[\w-]{30,40}\b",  # a bot's of Telegram
            r"(?m:^[ \t]*(?![0-9a-f]+[ \t\r]*$)[A-Za-z0-9+/]{60,76}={0,2}[ \t\r]*$)",  # a line of a key or a certificate
        )
    ),
    re.DOTALL,
)

_QUOTED = r"""[bru]{0,2}(?:"(?:[^"\\]|\\.)*+"|'(?:[^'\\]|\\.)*+'|\\+"[^"]*+"|\\+'[^']*+')"""
_VALUE = rf"""({_QUOTED}|\[[^\[\]]{{0,500}}\]|\([^()]{{0,500}}\)|\{{[^{{}}]{{0,500}}\}}|["'][^\s,;&"'<>]+|[^\s,;&"'<>]+)"""
_IS = r"""\\*+["']?\s*+(?:=>|:=|[:=]|%3[AD])\s*+"""
_NO_PATH = r"(?!-|/(?![A-Za-z0-9+/]{39}(?![\w.=/+-])|[A-Za-z0-9+/]{20,200}=))"
"""What follows is neither another option nor the path of a file."""

_LINE = r"""[^\s=;,"'<>]{1,200}=[^\r\n"'<>]{0,4096}"""
_PAIR = r"""(?!\d+:\d+(?![^\s"']))[^\s:"'<>]{0,100}:(?!//)"""
"""Who, and a colon; neither the ids of a user and a group, nor an address."""

_AFTER = (
    rf"((?:{IN_TEXT}){_IS}|(?<!\S)--[\w-]{{0,40}}(?:{IN_TEXT})[ \t]+){_NO_PATH}{_VALUE}",
    rf"""((?<!required["']:\s)[\[(]\s{{0,40}}b?\\*+["'](?:[\w.-]{{0,60}}(?:{IN_TEXT})|(?:proxy-)?authorization|(?:set-)?cookie)\\*+["']\s{{0,40}},\s{{0,40}})({_QUOTED})(?=\s{{0,40}}[\])])""",
    rf"""(\b(?:set-)?cookie2?{_IS}|(?<!\S)--cookie[ \t]+)({_QUOTED}|{_LINE}|[^\s,;&"'<>]+)""",
    r"""((?:[?&;]|u0026)(?:sig|signature)(?:=|%3D)|\bx-(?:amz|goog)-(?:signature|credential|security-token)(?:=|%3D))([^\s&"'<>\\]+)""",
    r"""(\bsignature=)(?=[^\s\d]{0,60}\d)([\w%+/=.~-]{16,})""",
    rf"""((?<![\w-])(?:-u|--(?:proxy-)?user)(?:["']?,?[ \t]+|=|(?=["'])))("{_PAIR}[^"\n]{{1,300}}"|'{_PAIR}[^'\n]{{1,300}}'|{_PAIR}[^\s"'<>]{{1,300}})""",
    rf"""(<[\w.:-]{{0,60}}?(?:{IN_TEXT})(?:\s[^<>]{{0,200}})?>)([^<>]{{1,4000}})(?=</)""",
    r"""(\bhooks\.slack(?:-gov)?\.com/(?:services|workflows|triggers)/|\bdiscord(?:app)?\.com/api/(?:v\d{1,2}/)?webhooks/)([\w/-]+)""",
    r"""(\bwebhook\.office\.com/webhookb2/|\boutlook\.office(?:365)?\.com/webhook/)([\w/@-]+)""",
    r"""(\bauthorization\\*+["']?\s*+[:=]\s*+\\*+["']?(?:[a-z]+[ ]+)?|\bbearer[ ]+|\bbasic[ ]+(?=\S*\d))([\w.~+/=:-]{8,})""",
)
_BEHIND = tuple(re.compile(pattern, re.IGNORECASE | re.DOTALL) for pattern in (_AFTER[-1], *_AFTER[:-1]))
"""A scheme comes before what is called so: `Authorization: Token …`."""


def without_looks(text: str, noted: Callable[[str], str]) -> str:
    """The text with what `noted` makes of everything in it that looks like a secret."""
    text = _BY_LOOKS.sub(lambda found: noted(found[0]), text)
    for pattern in _BEHIND:
        text = pattern.sub(lambda found: found[1] + noted(found[2]), text)
    return text

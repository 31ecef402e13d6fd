"""Finds what must not be shown: passwords in URLs, in headers, in names that say so."""

from __future__ import annotations

import re

MASK = "*****"

# Long words are meant at the end of others too (authToken, dbpassword), short ones are not
# (bypass, group).
_SECRET_NAME = re.compile(
    r"(?:passw(?:or)?d|passphrase|secrets?|tokens?|credentials?|authori[sz]ation|cookies?"
    r"|(?:api|access|secret|private|session|signing|account)[-_]?keys?"
    r"|(?:^|[^a-z])(?:auth|x-[a-z-]*key|pass|pwd|p|sig|signature)"
    r"|^(?:jwt|key|session|session[-_]?id|code[-_]verifier))$",
    re.IGNORECASE,
)
_MASKED = re.compile(r"(?:^|[=:])\*{5}(?:$|[@&;\s])|\"\*{5}\"")
# A member of a JSON object.
_MEMBER = re.compile(r'"([^"\\]{1,64})"(\s*:\s*)"(?:[^"\\]|\\.)+"')
_USER_INFO = re.compile(r"(?<=://)([^/?#\s]*)@")
_PARAMETER = re.compile(r"([^?&;\s=]{1,256})=([^&;\s#]*)")


def is_secret_name(name: str) -> bool:
    """
    :param name: of a header, a parameter or a key.
    :return: whether values of that name are usually secret.
    """
    return _SECRET_NAME.search(name.lstrip("+-")) is not None


def is_masked(text: str) -> bool:
    """:return: whether the text, or a part of it, was replaced by L{MASK} where it was shown."""
    return MASK in text and _MASKED.search(text) is not None


def masked_text(text: str) -> str:
    """
    :return: the text with passwords in URLs, query parameters and JSON replaced.
    """
    without_users = _USER_INFO.sub(_masked_user, text)
    return _MEMBER.sub(_masked_member, _PARAMETER.sub(_masked_parameter, without_users))


def _masked_user(found: re.Match[str]) -> str:
    # Some services take a token as the user name, with no password.
    user, colon, _ = found[1].partition(":")
    return f"{user}:{MASK}@" if colon else f"{MASK}@"


def _masked_parameter(found: re.Match[str]) -> str:
    return f"{found[1]}={MASK}" if is_secret_name(found[1]) and found[2] else found[0]


def _masked_member(found: re.Match[str]) -> str:
    return f'"{found[1]}"{found[2]}"{MASK}"' if is_secret_name(found[1]) else found[0]

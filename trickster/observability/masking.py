"""What must not be read in logs."""

from __future__ import annotations

import re
from functools import lru_cache
from urllib.parse import unquote_to_bytes

MASK = b"*****"

_LONGEST = 2048

# C{p} is InfluxDB's password parameter.
_SECRETS = frozenset((
    b"p", b"pw", b"pwd", b"pass", b"password", b"passwd", b"passphrase", b"secret",
    b"client_secret", b"token", b"access_token", b"refresh_token", b"id_token", b"auth",
    b"authorization", b"api_key", b"apikey", b"api-key", b"key", b"private_key", b"sig",
    b"signature", b"x-amz-signature", b"x-amz-credential", b"x-amz-security-token", b"jwt",
    b"session", b"sessionid", b"credential", b"credentials", b"code_verifier",
))
_SECRET_PART = re.compile(rb"password|passwd|secret|token|apikey|api_key|credential")
# A statement that sets a password, percent-encoded or not: PASSWORD [FOR somebody =] 'x'.
# The bound keeps a hostile query from making this slow.
_STATEMENT = re.compile(
    rb"""(password(?:(?!%27|%22|['"]).){1,80})(%27|%22|['"])(?:(?!\2).)*(\2|$)""",
    re.IGNORECASE | re.DOTALL)


def masked_target(target: bytes) -> str:
    """
    :param target: path and query.
    :return: the same for a log, in at most 2 KiB and some: values of parameters that look
        secret, and passwords in statements, are C{*****}.
    """
    if len(target) > _LONGEST:
        return _masked(target[:_LONGEST]) + "..."
    return _masked(target)


@lru_cache(maxsize=1024)
def _masked(target: bytes) -> str:
    path, mark, query = target.partition(b"?")
    if mark:
        path += mark + b"&".join(_masked_pair(pair) for pair in query.split(b"&"))
    return path.decode("utf-8", "backslashreplace")


def _masked_pair(pair: bytes) -> bytes:
    name, mark, value = pair.partition(b"=")
    if not mark:
        return pair
    plain = unquote_to_bytes(name).strip().lower() if b"%" in name else name.lower()
    if plain in _SECRETS or _SECRET_PART.search(plain):
        return name + mark + MASK
    return name + mark + _STATEMENT.sub(rb"\1\2" + MASK + rb"\3", value)

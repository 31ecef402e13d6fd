"""What must not be read in logs."""

from __future__ import annotations

import re
from urllib.parse import unquote_to_bytes

from trickster.config.document.masking import MASK, is_secret_name
from trickster.remembering import remembered

_MASK = MASK.encode()
_LONGEST = 2048

# A statement that sets a password, percent-encoded or not: PASSWORD [FOR user =] 'x'.
# All after the first quote goes.  The bound keeps a hostile query from making this slow.
_STATEMENT = re.compile(rb"""(password(?:(?!%27|%22|['"]).){1,80}(?:%27|%22|['"])).*""",
                        re.IGNORECASE | re.DOTALL)


# The configuration's own masking takes its time over long texts; these bounds do not let a
# hostile one have it.
_USER_INFO = re.compile(r"://[^/?#\s@]{1,256}@")
_PARAMETER = re.compile(r"(?<![^?&;\s=])([^?&;\s=]{1,64})=([^&;\s#]+)")


def masked_text(text: str) -> str:
    """:return: the text without users and passwords in URLs and in what looks like queries."""
    return _PARAMETER.sub(_masked_parameter, _USER_INFO.sub(f"://{MASK}@", text))


def _masked_parameter(found: re.Match[str]) -> str:
    return f"{found[1]}={MASK}" if is_secret_name(found[1]) else found[0]


def masked_form(octets: bytes) -> str:
    """
    :param octets: parameters as in a query or an urlencoded form, perhaps cut off.
    :return: the same for a log, as L{masked_target} has it.
    """
    text = masked_target(b"?" + octets)
    return text[1:]


def masked_target(target: bytes) -> str:
    """
    :param target: path and query.
    :return: the same for a log, in at most 2 KiB and some: values of parameters that look
        secret, and passwords in statements, are C{*****}.
    """
    if len(target) > _LONGEST:
        return _masked(target[:_LONGEST]) + "..."
    return _masked(target)


@remembered(4 << 20)
def _masked(target: bytes) -> str:
    path, mark, query = target.partition(b"?")
    if mark:
        path += mark + b"&".join(_masked_pair(pair) for pair in query.split(b"&"))
    return path.decode("utf-8", "backslashreplace")


def _masked_pair(pair: bytes) -> bytes:
    name, mark, value = pair.partition(b"=")
    if not mark:
        return pair
    if _is_secret(name):
        return name + mark + _MASK
    return name + mark + _STATEMENT.sub(rb"\1" + _MASK, value)


@remembered(1 << 20)
def _is_secret(name: bytes) -> bool:
    return is_secret_name(unquote_to_bytes(name).decode("latin-1").strip())

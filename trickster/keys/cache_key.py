"""Cache keys (RFC 9111 section 2): unambiguous, hashed, and equal for equal requests alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import lru_cache
from hashlib import blake2b

from attrs import frozen

from trickster.keys.form_fields import field_values
from trickster.keys.parameters import counted_pairs, counted_pieces
from trickster.messages import Params, Principal, Request, parsed_query
from trickster.routes import Aligned

ALL_PARAMS = ("*",)
_LONGEST_REMEMBERED = 1024
# Between what is asked and who asks, in keys of principals: those of all of them begin alike, so
# that an answer that becomes invalid does so for all.
PRINCIPAL = "-"
READ_ONLY = (b"GET", b"HEAD")


@frozen
class KeyRules:
    """
    What two requests of a route have to agree in to have the same key.

    :ivar prefix: of every key; names the backend, so that no two share entries.
    :ivar params: the only query parameters that count; C{("*",)} for all.
    :ivar ignored_params: those that never count.
    :ivar form_fields: fields of a request body that count, for methods other than GET.
    :ivar form: whether parameters are a set of named values: their order does not count, and
        an urlencoded body is the same as a query string.
    :ivar normalise: makes equal parameters equal, where C{form}.
    :ivar align: rounds the instants among them, where C{form}.
    :ivar with_authority: whether the host that the client asked for counts.
    """

    prefix: str
    params: tuple[str, ...] = ALL_PARAMS
    ignored_params: frozenset[str] = frozenset()
    form_fields: tuple[str, ...] = ()
    form: bool = False
    normalise: Callable[[Params], Params] | None = None
    align: Callable[[Params], Aligned | None] | None = None
    with_authority: bool = False


def framed(parts: Iterable[bytes | None]) -> bytes:
    """
    :return: the parts, each after its length, so that no two sequences look alike; None
        differs from C{b""}.
    """
    return b"".join(b"-" if p is None else b"%d:%b" % (len(p), p) for p in parts)


def digest(parts: Iterable[bytes | None]) -> str:
    """:return: a cryptographic hash of a sequence, in hexadecimal."""
    return blake2b(framed(parts), digest_size=16).hexdigest()


def path_prefix(prefix: str, path: bytes, kind: str = "opc") -> str:
    """
    :param prefix: as in L{KeyRules}.
    :param kind: which cache has the entries: C{opc} or C{dpc}, as Trickster calls them.
    :return: what the keys of all entries for a path, of any query, begin with.
    """
    return f"{prefix}.{kind}.{digest((path,))}."


def purge_prefix(prefix: str, path: bytes | None, kind: str = "opc") -> str:
    """
    :param path: without a query; None for all paths.
    :param kind: as for L{path_prefix}.
    :return: what the keys of all entries that are purged begin with.
    """
    return f"{prefix}.{kind}." if path is None else path_prefix(prefix, path, kind)


def key_of(rules: KeyRules, request: Request, body: bytes | None = None,
           params: Merged | None = None) -> str:
    """
    :param body: the request's body, whole, where the method is not GET or HEAD.
    :param params: L{merged} of the request, where it is known already.
    :return: the key of the entry that answers this request, leaving aside the fields that
        select among its variants.
    :raises trickster.messages.MalformedParams: the parameters of a route with C{form}
        cannot be read in one way only.
    :raises trickster.keys.form_fields.UnreadableBody: neither can the body of one with
        C{form_fields}.
    """
    key = _shared_key(rules, request, body, params)
    if request.identity is None:
        return key
    return key + PRINCIPAL + digest(principal_parts(request.identity))


def shared_key(key: str, request: Request) -> str:
    """
    :param key: from L{key_of}, of this request.
    :return: the key, without what is other for every other principal.
    """
    return key if request.identity is None else key.rpartition(PRINCIPAL)[0]


def _shared_key(rules: KeyRules, request: Request, body: bytes | None, params: Merged | None
                ) -> str:
    """:return: the key, without what is other for every other principal."""
    authority = request.authority if rules.with_authority else b""
    if body is None and not rules.form:
        is_short = len(request.target) + len(authority) <= _LONGEST_REMEMBERED
        return (_read_key if is_short else _new_read_key)(rules, authority, request.target)
    method = b"GET" if request.method in READ_ONLY or rules.form else request.method
    parts = (_canonical_params(rules, (params or merged(rules, request, body)).params)
             if rules.form else _raw_parts(rules, request, body))
    return path_prefix(rules.prefix, request.path) + digest((authority.lower(), method, *parts))


def principal_parts(principal: Principal) -> tuple[bytes, ...]:
    """:return: the parts of a key that are others for every other principal."""
    parts = (principal.name, *(text for claim in principal.claims for text in claim))
    return tuple(text.encode("utf-8", "surrogatepass") for text in parts)


def _new_read_key(rules: KeyRules, authority: bytes, target: bytes) -> str:
    path, _, query = target.partition(b"?")
    # A question mark without a query is another target.
    mark = b"?" if b"?" in target else None
    return path_prefix(rules.prefix, path) + digest(
        (authority.lower(), b"GET", mark, counted_query(rules, query)))


# The key of GET and HEAD where parameters are not looked into: asked for at every hit.
_read_key = lru_cache(maxsize=4096)(_new_read_key)


def _canonical_params(rules: KeyRules, asked: Params) -> Iterable[bytes]:
    counted = counted_pairs(asked.pairs, lambda name: _counts(rules, name), rules.params)
    for name, value in sorted(counted, key=lambda p: p[0]):
        yield name.encode("utf-8", "surrogateescape")
        yield value.encode("utf-8", "surrogateescape")


@frozen
class Merged:
    """
    The parameters of a request of a route with C{form}, in query and body.

    :ivar params: those of query and form as one, normalised and aligned as the rules say.
    :ivar extent: what they ask for, where alignment made it another than the client's.
    """

    params: Params
    extent: tuple[int | None, int | None] | None = None


def merged(rules: KeyRules, request: Request, body: bytes | None) -> Merged:
    """
    :raises trickster.messages.MalformedParams: as for L{key_of}.
    """
    params = parsed_query(request.query)
    if body:
        params = Params(Params.parse(body).pairs + params.pairs)
    if rules.normalise is not None:
        params = rules.normalise(params)
    aligned = rules.align(params) if rules.align is not None else None
    return Merged(params) if aligned is None else Merged(aligned.params, aligned.extent)


def _counts(rules: KeyRules, name: str) -> bool:
    return name not in rules.ignored_params and (
        rules.params == ALL_PARAMS or name in rules.params)


def _raw_parts(rules: KeyRules, request: Request, body: bytes | None
               ) -> Iterable[bytes | None]:
    yield counted_query(rules, request.query)
    if body is not None:
        yield from _body_parts(rules, request, body)


def _body_parts(rules: KeyRules, request: Request, body: bytes) -> Iterable[bytes | None]:
    if not rules.form_fields:
        return (request.headers.get(b"content-type"), body)
    return field_values(request.headers, body, rules.form_fields)


def counts_whole(rules: KeyRules, request: Request, body: bytes | None) -> bool:
    """:return: whether nothing of a request's parameters and body is left out of its key."""
    if body and rules.form_fields:
        return False
    if rules.params == ALL_PARAMS and not rules.ignored_params:
        return True
    if not rules.form:
        return counted_query(rules, request.query) == request.query
    pairs = merged(rules, request, body).params.pairs
    return len(counted_pairs(pairs, lambda name: _counts(rules, name), rules.params)) == len(pairs)


def counted_query(rules: KeyRules, query: bytes) -> bytes:
    """
    :return: what of a plain query string counts, spelled and ordered as it came; all of it
        where a piece that does not count may count for some origins.
    """
    if rules.params == ALL_PARAMS and not rules.ignored_params:
        return query
    return counted_pieces(query, lambda name: _counts(rules, name), rules.params)

"""Options of one path of a backend, which lie over what the origin type says of it."""

from __future__ import annotations

from attrs import frozen

from trickster.config.document.settings import guarding, setting
from trickster.config.options.hereafter import (
    CorsOptions,
    authenticator_exposes,
    cors_exposes,
    rewriter_exposes,
)


@frozen(kw_only=True)
class PathOptions:
    """
    One entry of a backend's C{paths}.

    None everywhere means "not said": what the origin type says of the path stands.

    :ivar name: of the entry, where the paths stand in a mapping.
    """

    path: str = setting("", "The path, as the origin knows it.")
    match_type: str | None = setting(
        None, "How it is compared; exact where not given.", choices=("exact", "prefix"))
    handler: str | None = setting(
        None, "How it is served: proxy, proxycache, localresponse, or a name that the "
        "origin type gives to one of its own ways.")
    methods: tuple[str, ...] | None = setting(
        None, "Request methods; * for all, GET and HEAD where not given.")
    cache_key_params: tuple[str, ...] | None = setting(
        None, "Query parameters that are part of the cache key; * for all.", blank=True)
    cache_key_headers: tuple[str, ...] | None = setting(
        None, "Request headers that are part of the cache key.", are_names=True)
    cache_key_form_fields: tuple[str, ...] | None = setting(
        None, "Fields of a form, or slash-separated paths in a JSON body, that are part of "
        "the cache key.")
    request_headers: dict[str, str] | None = setting(
        None, "Headers to set in the request to the origin; +name adds, -name removes.",
        variables=True)
    request_params: dict[str, str] | None = setting(
        None, "Query parameters to set in the request to the origin; +name adds, -name "
        "removes.", variables=True)
    response_headers: dict[str, str] | None = setting(
        None, "Headers to set in the origin's answer; +name adds, -name removes.",
        variables=True)
    response_code: int | None = setting(
        None, "Status code of a localresponse, 200 to 599; 200 where not given, or 0.",
        minimum=0, maximum=599)
    response_body: str | None = setting(None, "Body of a localresponse.", blank=True)
    cors: CorsOptions | None = guarding(
        None, "Cross-origin headers, as in the backend.", cors_exposes)
    collapsed_forwarding: str | None = setting(
        None, "Whether clients that wait for one object get it whole, or as it arrives.",
        choices=("basic", "progressive"))
    progressive_collapsed_forwarding: bool | None = setting(
        None, "The older way to say collapsed_forwarding: progressive.")
    honour_request_directives: bool | None = setting(
        None, "Whether a client's Cache-Control decides as RFC 9111 has it; as the backend "
        "says where not given.")
    req_rewriter_name: str | None = guarding(
        None, "Rewriter for requests of this path.", rewriter_exposes)
    no_metrics: bool | None = setting(None, "Leave the path out of the frontend metrics.")
    authenticator_name: str | None = guarding(
        None, "Authenticator of this path; none for no authentication.", authenticator_exposes)
    ttl: float | None = setting(
        None, "How long answers are fresh, also where their headers give another lifetime; who "
        "may see them is for the origin to say.", unit="duration")
    cache_set_cookie: bool | None = setting(
        None, "Whether answers with Set-Cookie are kept, and shared, as any others; false "
        "where not given.")
    middlewares: tuple[str, ...] | None = setting(
        None, "Middlewares around this path, within those of the backend, the first outermost.")
    name: str = setting("", "", hidden=True)

    @property
    def is_progressive(self) -> bool | None:
        """:return: whether forwarding is progressive; None where neither key is given."""
        if self.collapsed_forwarding is not None:
            return self.collapsed_forwarding == "progressive"
        return self.progressive_collapsed_forwarding

"""Options of what later releases bring: checked now, so that files need no change then."""

from __future__ import annotations

from attrs import Factory, frozen

from trickster.config.document.settings import later, setting

_ALLOWING = ("access-control-allow-", "access-control-expose-")


@frozen(kw_only=True)
class StdoutOptions:
    """Spans on standard output."""

    pretty_print: bool = later(False, "Whether spans take several lines.")


@frozen(kw_only=True)
class TracingOptions:
    """Where spans go."""

    provider: str = later(
        "none", "Kind of exporter.", choices=("none", "stdout", "otlp"))
    protocol: str = later("http", "How spans are sent.", choices=("http", "grpc"))
    service_name: str = later("trickster", "Name of this service in spans.")
    endpoint: str = later("", "Where spans are sent.")
    timeout: float = later(0.0, "Longest time to send them.", unit="duration")
    headers: dict[str, str] = later(
        Factory(dict), "Headers to send with them; what exporters ask for is often a password.",
        secret=True)
    disable_compression: bool = later(False, "Whether they are sent as they are.")
    sample_rate: float = later(
        1.0, "Share of requests that are traced.", minimum=0, maximum=1)
    tags: dict[str, str] = later(Factory(dict), "Attributes of every span.")
    omit_tags: tuple[str, ...] = later((), "Attributes to leave out.")
    stdout: StdoutOptions = later(StdoutOptions(), "For provider stdout.")


@frozen(kw_only=True)
class CaseOptions:
    """What a rule does for some results."""

    matches: tuple[str, ...] = later((), "Results, or arguments of the operation.")
    next_route: str = later("", "Backend to go on with.")
    redirect_url: str = later("", "Where the client is sent instead.")
    req_rewriter_name: str = later("", "Rewriter for the request.")
    name: str = setting("", "", hidden=True)


@frozen(kw_only=True)
class RuleOptions:
    """Chooses a backend by something in the request."""

    input_source: str = later(
        "", "What is looked at.",
        choices=("url", "url_no_params", "scheme", "host", "hostname", "port", "path",
                 "params", "param", "header", "method"))
    input_key: str = later("", "Name of the parameter or header.")
    input_type: str = later("string", "What it is.", choices=("string", "num", "bool"))
    input_encoding: str = later("", "How it is encoded.", choices=("", "base64"))
    input_index: int = later(-1, "Which part of it, after splitting; -1 for all.", minimum=-1)
    input_delimiter: str = later(" ", "Where it is split.")
    operation: str = later("", "How it is compared.")
    operation_arg: str = later("", "Argument of the operation.")
    next_route: str = later("", "Backend to go on with where no case matches.")
    redirect_url: str = later("", "Where the client is sent where no case matches.")
    ingress_req_rewriter_name: str = later("", "Rewriter before the rule.")
    egress_req_rewriter_name: str = later("", "Rewriter after the rule.")
    nomatch_req_rewriter_name: str = later("", "Rewriter where no case matches.")
    max_rule_executions: int = later(16, "Most rules for one request.", minimum=1)
    cases: tuple[CaseOptions, ...] = later((), "The cases.", named=True)


@frozen(kw_only=True)
class RewriterOptions:
    """Changes requests."""

    instructions: tuple[tuple[str, ...], ...] = later((), "What is changed, step by step.")


@frozen(kw_only=True)
class LoginOptions:
    """How a client is asked to authenticate."""

    showLoginForm: bool = later(False, "Whether browsers are asked for a password.")
    realm: str = later("", "What the password is for.")


@frozen(kw_only=True)
class AuthenticatorOptions:
    """Finds out who asks."""

    provider: str = later("", "How.", choices=("basic", "clickhouse"))
    users: dict[str, str] = later(
        Factory(dict), "Passwords, or their hashes, by user.", secret=True,
        variables=True)
    users_file: str = later("", "File of users and hashes.")
    users_file_format: str = later(
        "htpasswd", "Form of that file.", choices=("csv", "csvNoHeader", "htpasswd"))
    observe_only: bool = later(False, "Whether every client is let through.")
    proxy_preserve: bool = later(False, "Whether the origin sees the credentials.")
    config: LoginOptions = later(LoginOptions(), "Details.")


@frozen(kw_only=True)
class CorsOptions:
    """Cross-origin headers."""

    mode: str = later(
        "replace", "What becomes of the origin's.",
        choices=("preserve", "merge", "replace", "disable"))
    headers: dict[str, str] = later(Factory(dict), "Headers to set.", variables=True)


def authenticator_exposes(name: str | None) -> str | None:
    """:return: what is open while no authenticator has an effect; None for C{none}."""
    if name in (None, "", "none"):
        return None
    return "every client is answered, also without credentials"


def rewriter_exposes(name: str | None) -> str | None:
    """:return: what is open while no rewriter has an effect."""
    return "requests reach the origin as clients send them, not rewritten" if name else None


def cors_exposes(cors: CorsOptions | None) -> str | None:
    """
    :return: what is open while the block has no effect: where it takes the origin's fields
        away or says other ones, pages that it shuts out may read answers.
    """
    if cors is None or cors.mode == "preserve" or cors == CorsOptions(mode="merge"):
        return None
    allows = any(name.lower().lstrip("+-").startswith(_ALLOWING) for name in cors.headers)
    if cors.mode == "merge" and not allows:
        return ""
    return "the origin's own cross-origin fields reach the pages that ask"


@frozen(kw_only=True)
class Sigv4Options:
    """Signs requests to the origin for a cloud that wants it."""

    region: str = later("", "Region.")
    access_key: str = later("", "Access key.", secret=True)
    secret_key: str = later("", "Secret key.", secret=True)
    profile: str = later("", "Named profile.")
    role_arn: str = later("", "Role to take.")
    external_id: str = later("", "Identifier for taking that role.", secret=True)
    service_name: str = later("", "Service that is signed for.")
    use_fips_sts_endpoint: bool = later(False, "Which token service is asked.")


@frozen(kw_only=True)
class FanOutOptions:
    """How many members of a pool are asked at one time."""

    query_concurrency_limit: int = later(0, "Most requests at one time.", minimum=0)
    query_concurrency_multiplier: int = later(0, "Factor of that limit.", minimum=0)


@frozen(kw_only=True)
class FirstGoodOptions(FanOutOptions):
    """Which answer is good enough."""

    status_codes: tuple[int, ...] = later((), "Status codes of good answers.")


@frozen(kw_only=True)
class MergeOptions(FanOutOptions):
    """How time series of several members become one."""

    dedup_tolerance_ms: int = later(
        0, "Milliseconds within which two samples are one.", minimum=0)


@frozen(kw_only=True)
class RoutedUserOptions:
    """Where one user's requests go."""

    to_backend: str = later("", "Backend to go on with.")
    to_user: str = later("", "User that the origin sees.")
    to_credential: str = later("", "Password of that user.", secret=True, variables=True)


@frozen(kw_only=True)
class UserRouterOptions:
    """Chooses a backend by user."""

    default_backend: str = later("", "Backend of all other users.")
    no_route_status_code: int = later(
        401, "Status code where there is none.", minimum=100, maximum=599)
    users: dict[str, RoutedUserOptions] = later(Factory(dict), "The users, by name.")


@frozen(kw_only=True)
class AlbOptions:
    """A backend that is a pool of others."""

    mechanism: str = later(
        "rr", "How a member is chosen.",
        choices=("rr", "round_robin", "fr", "first_response", "fgr", "first_good_response",
                 "nlm", "newest_last_modified", "tsm", "time_series_merge", "ur",
                 "user_router"))
    pool: tuple[str, ...] = later((), "Names of the members.")
    healthy_floor: int = later(0, "Least health of a member.", minimum=-1, maximum=1)
    max_capture_bytes: int = later(
        256 << 20, "Most octets of one member's answer.", unit="size")
    max_fanout_capture_bytes: int = later(
        0, "Most octets of all members' answers.", unit="size")
    output_format: str = later("", "Kind of answer.")
    fgr_status_codes: tuple[int, ...] = later((), "Status codes of good answers.")
    fgr: FirstGoodOptions = later(FirstGoodOptions(), "For first_good_response.")
    nlm: FanOutOptions = later(FanOutOptions(), "For newest_last_modified.")
    tsm: MergeOptions = later(MergeOptions(), "For time_series_merge.")
    user_router: UserRouterOptions = later(UserRouterOptions(), "For user_router.")

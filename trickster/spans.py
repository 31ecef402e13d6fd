"""What is learnt of a request while it is answered, for those who observe it from outside."""

from __future__ import annotations

from attrs import frozen

from trickster.interfaces import IBody, IRefusalFormat


@frozen(eq=False)
class Place:
    """
    Where in the configuration a request is answered.

    :ivar backend: the backend's name; empty where no backend was found.
    :ivar provider: the backend's provider.
    :ivar path: the configured path pattern, never a client's path; empty for none.
    :ivar in_frontend: whether its requests are among the metrics of the frontend.
    :ivar has_forms: whether a form is what is asked for here, and so is logged.
    :ivar spelling: how the origin's clients expect refusals; None for plain text.
    :ivar compressible: media types that are worth a content coding, in lower case.
    """

    backend: str = ""
    provider: str = ""
    path: str = ""
    in_frontend: bool = True
    has_forms: bool = False
    spelling: IRefusalFormat | None = None
    compressible: frozenset[bytes] = frozenset()


NOWHERE = Place()


class Span:
    """
    The time in which one request from a client is answered.

    However often the request is changed on its way, its span is the same object.  What asks
    several responders for one answer gives each request a span of its own, or none.

    :ivar place: where the request is answered, once that is known: the backend that has
        sent it to one of its paths says so; of nested backends, the innermost.
    :ivar target: path and query as that backend knows them.
    :ivar form: a body of which the beginning is kept as it is read, where the place has forms.
    """

    # Not of attrs, since one is made for each request: until something is learnt, it has the
    # attributes of its class.
    place: Place = NOWHERE
    target: bytes = b""
    form: IBody | None = None

"""The tree of resources behind a listener."""

from __future__ import annotations

from collections.abc import Mapping

from twisted.web.resource import IResource, Resource
from twisted.web.server import NOT_DONE_YET, Request
from zope.interface import implementer

from trickster.frontend.resources import ResourceRequest
from trickster.interfaces import IResponder
from trickster.routing.table import PathTable


@implementer(IResource)
class ResponderResource:
    """
    A leaf whose answers come from a responder.

    :ivar responder: where the answers come from.
    """

    isLeaf = True

    def __init__(self, responder: IResponder) -> None:
        self.responder = responder

    def getChildWithDefault(self, name: bytes, request: Request) -> IResource:
        """:return: itself: everything below is the responder's."""
        return self

    def putChild(self, path: bytes, child: IResource) -> None:
        """
        Leaves have no children.

        :raises TypeError: always.
        """
        raise TypeError("a responder's resource has no children")

    def render(self, request: Request) -> int:
        """
        Have the responder answer.

        :param request: one of ours: only those can stream.
        """
        assert isinstance(request, ResourceRequest)
        request.respond_with(self.responder)
        return NOT_DONE_YET


class ListenerRoot(Resource):
    """
    What a listener serves: some paths of its own, and a leaf for all the others.

    :ivar rest: gets every path that is none of C{endpoints}.
    """

    def __init__(self, rest: IResource, endpoints: Mapping[bytes, IResource]) -> None:
        """
        :param endpoints: by whole path, as C{b"/trickster/ping"}; where a path ends with a
            slash, it stands for everything below it too.
        """
        super().__init__()
        self.rest = rest
        self._own = PathTable.of(
            {path: (endpoint, path.count(b"/")) for path, endpoint in endpoints.items()},
            {path: (endpoint, path.count(b"/") - 1) for path, endpoint in endpoints.items()
             if path.endswith(b"/")})

    def leaf(self, path: bytes) -> IResource:
        """:return: what serves this path."""
        found = self._own.best(path)
        return self.rest if found is None else found[0]

    def getChildWithDefault(self, path: bytes, request: Request) -> IResource:
        """:return: what serves the path of a request; below it, only the rest is looked up."""
        found, depth = self._own.best(request.path) or (self.rest, 0)
        segments = request.path.split(b"/")[1:]
        request.prepath, request.postpath = segments[:depth], segments[depth:]
        return found

"""What C{twistd} and C{twist} need to run Trickster: its options, and its service."""

from __future__ import annotations

from time import time

from twisted.application.service import IService

from trickster.commandline import Options

__all__ = ["Options", "makeService"]


def makeService(options: Options) -> IService:
    """
    :return: all of Trickster; it opens nothing before it is started.
    :raises SystemExit: a port is taken, say.
    """
    # The reactor of twistd's --reactor option is installed only after this module is
    # imported; the service takes with it half of the program, which --version can do without.
    from twisted.internet import reactor

    from trickster.service import service

    return service(options, reactor, time, options.parent)

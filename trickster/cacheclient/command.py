"""C{trickster cache}, as a process."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from treq import collect, request
from twisted.internet.defer import Deferred
from twisted.internet.task import react
from twisted.python.usage import UsageError

from trickster.cacheclient.asking import Asker, NoAnswer
from trickster.cacheclient.words import Question, place_at, question
from trickster.commandline import plugin_options
from trickster.config.load import Sources, load
from trickster.errors import ConfigurationError
from trickster.plugins import Plugins

Told = Callable[[Question], str]


def cache_main(words: Sequence[str], environ: Mapping[str, str], told: Told | None = None) -> int:
    """
    :param words: the command line, after C{cache}.
    :param environ: environment variables.
    :param told: asks, and gives what is to be shown; over the network where None.
    :return: 0 where all is well, 1 where the answer is no, or there is none, 2 for misuse.
    :raises SystemExit: with 0, after C{--help}.
    """
    try:
        asked = question(words, lambda path: _place_of(path, environ))
        print((told or _over_network)(asked), end="")
    except UsageError as error:
        print(f"trickster cache: {error}\nTry 'trickster cache --help'.", file=sys.stderr)
        return 2
    except NoAnswer as error:
        print(f"trickster cache: {error}", file=sys.stderr)
        return 1
    except ConfigurationError as error:
        print("\n".join(error.problems), file=sys.stderr)
        return 1
    return 0


def _place_of(path: str, environ: Mapping[str, str]) -> str:
    sources = Sources(path, environ, {}, True)
    listener = load(sources, plugin_options(Plugins())).opened.get("mgmt")
    if listener is None:
        raise NoAnswer(f"by {path}, there is no mgmt listener")
    return place_at(listener.address, listener.port)


def _over_network(asked: Question) -> str:
    found: list[str | NoAnswer] = []

    def run(reactor: Any) -> Deferred[None]:
        return Deferred.fromCoroutine(_asked(reactor, asked, found.append))

    try:
        react(run, ())
    except SystemExit as ended:
        if ended.code or not found:
            raise
    if isinstance(found[0], NoAnswer):
        raise found[0]
    return found[0]


async def _asked(reactor: Any, asked: Question, give: Callable[[str | NoAnswer], None]) -> None:
    try:
        give(await Asker(request, collect, reactor).told(asked))
    except NoAnswer as error:
        give(error)

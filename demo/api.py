"""The demo origin's HTTP API: Prometheus's, as far as dashboards need it."""

from __future__ import annotations

import re
from collections.abc import Callable, Generator
from typing import TypeVar

from attrs import define, field, frozen
from twisted.internet.defer import DeferredSemaphore
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater

from demo import spelling
from demo.evaluation import CannotEvaluate, Evaluation
from demo.language import is_label_name, is_scalar
from demo.questions import ApiError, Question, count, instant_question, range_question, selectors
from demo.series import Catalogue, Series
from demo.spelling import write_json
from trickster.messages import Params

_T = TypeVar("_T")

#: Seconds for which the reactor may be held.
_HOLD = 0.004
#: Queries that are worked on at once, as in Prometheus; others wait their turn.
_CONCURRENCY = 20

_LABEL_VALUES = re.compile("/api/v1/label/([^/]+)/values")
_JSON = b"application/json"
_TEXT = b"text/plain; charset=utf-8"
_READ_OR_FORM = (b"GET", b"POST")
_READ = (b"GET",)


@define
class Account:
    """
    What one kind of client has asked for so far.

    :ivar queries: requests answered with data.
    :ivar points: instants times series for which samples were read.
    :ivar octets: of the bodies of all answers.
    """

    queries: int = 0
    points: int = 0
    octets: int = 0


@define
class Ledger:
    """
    One account for each kind of client; kinds are few, and named by the listener.
    """

    accounts: dict[str, Account] = field(factory=dict)

    def account(self, kind: str) -> Account:
        """
        :param kind: of client.
        :return: its account, opened now if there was none.
        """
        return self.accounts.setdefault(kind, Account())

    @property
    def points(self) -> int:
        """Points that were asked for by all kinds of clients together."""
        return sum(account.points for account in self.accounts.values())


@frozen
class Answer:
    """Status, body, and what kind of body it is."""

    status: int
    body: bytes
    content_type: bytes = _JSON


@frozen
class Cost:
    """
    How long a query takes at least, in seconds.

    :ivar each: for every query.
    :ivar point: for every instant of every series that is read.
    """

    each: float = 0.004
    point: float = 8e-6

    def of(self, points: int) -> float:
        """:return: seconds for a query that reads so many points."""
        return self.each + self.point * points


@define
class Api:
    """
    Answers requests, and takes its time over those that read samples.

    :ivar cost: how much time.
    """

    clock: IReactorTime
    catalogue: Catalogue
    cost: Cost
    _turns: DeferredSemaphore = field(factory=lambda: DeferredSemaphore(_CONCURRENCY), init=False)

    async def answer(self, method: bytes, path: str, params: Params, account: Account) -> Answer:
        """
        :param path: decoded.
        :param params: of the target, and of the form if there was one.
        :param account: whom it counts for.
        """
        try:
            answer = await self._answered(method, path, params, account)
        except ApiError as error:
            answer = Answer(error.status, spelling.failure(error.kind, error.detail))
        account.octets += len(answer.body)
        return answer

    async def _answered(self, method: bytes, path: str, params: Params,
                        account: Account) -> Answer:
        found = self._found(path, params)
        if found is None:
            return _elsewhere(path)
        if method not in (_READ if _is_read_only(path) else _READ_OR_FORM):
            return Answer(405, b"Method Not Allowed\n", _TEXT)
        data = found()
        if isinstance(data, Question):
            data = await self._asked(data, account)
        account.queries += 1
        return Answer(200, spelling.success(data))

    def _found(self, path: str, params: Params) -> Callable[[], str | Question] | None:
        catalogue = self.catalogue
        name = _label_named(path)
        if name is not None:
            return lambda: _label_values(catalogue, name, params)
        known: dict[str, Callable[[], str | Question]] = {
            "/api/v1/query_range": lambda: range_question(params),
            "/api/v1/query": lambda: instant_question(params, self._now_ms()),
            "/api/v1/labels": lambda: _label_names(catalogue, params),
            "/api/v1/series": lambda: _series(catalogue, params),
            "/api/v1/metadata": lambda: _metadata(catalogue, params),
            "/api/v1/status/buildinfo": _build_information,
        }
        return known.get(path)

    def _now_ms(self) -> int:
        return int(self.clock.seconds() * 1000)

    async def _asked(self, question: Question, account: Account) -> str:
        evaluation = Evaluation(self.catalogue, question.grid, self._now_ms())
        points = evaluation.points(question.node)
        account.points += points
        await self._turns.acquire()
        try:
            due = self.clock.seconds() + self.cost.of(points)
            data = await self._in_slices(_data(evaluation, question))
            await deferLater(self.clock, max(0.0, due - self.clock.seconds()))
        finally:
            self._turns.release()
        return data

    async def _in_slices(self, work: Generator[None, None, _T]) -> _T:
        began = self.clock.seconds()
        while True:
            try:
                next(work)
            except StopIteration as done:
                value: _T = done.value
                return value
            if self.clock.seconds() - began >= _HOLD:
                await deferLater(self.clock, 0)
                began = self.clock.seconds()


def _data(evaluation: Evaluation, question: Question) -> Generator[None, None, str]:
    try:
        rows = yield from evaluation.rows(question.node)
    except CannotEvaluate as error:
        raise ApiError(str(error), "execution", 422) from error
    if question.is_range:
        return (yield from spelling.matrix(rows, question.grid.times))
    at = question.grid.start_ms
    value = rows[0].values[0] if is_scalar(question.node) else None
    return spelling.vector(rows, at) if value is None else spelling.scalar(value, at)


def _label_named(path: str) -> str | None:
    found = _LABEL_VALUES.fullmatch(path)
    return found[1] if found else None


def _is_read_only(path: str) -> bool:
    return path.startswith(("/api/v1/label/", "/api/v1/status/", "/api/v1/metadata"))


def _elsewhere(path: str) -> Answer:
    if path in ("/-/healthy", "/-/ready"):
        return Answer(200, b"The demo origin is well.\n", _TEXT)
    if path == "/":
        return Answer(200, b"Trickster's demo origin. Try /api/v1/query?query=up\n", _TEXT)
    return Answer(404, b"404 page not found\n", _TEXT)



def _label_names(catalogue: Catalogue, params: Params) -> str:
    """:return: the data of C{/api/v1/labels}, as JSON."""
    names = {name for one in _matching(catalogue, params) for name, _ in one.labels}
    return write_json(_at_most(sorted(names), params))


def _label_values(catalogue: Catalogue, name: str, params: Params) -> str:
    """
    :param name: of the label.
    :return: the data of C{/api/v1/label/NAME/values}, as JSON.
    """
    if not is_label_name(name):
        raise ApiError(f'invalid label name: "{name}"')
    values = {value for one in _matching(catalogue, params)
              for found, value in one.labels if found == name}
    return write_json(_at_most(sorted(values), params))


def _series(catalogue: Catalogue, params: Params) -> str:
    """:return: the data of C{/api/v1/series}, as JSON."""
    if not params.get_all("match[]"):
        raise ApiError("no match[] parameter provided")
    found = [dict(one.labels) for one in _matching(catalogue, params)]
    return write_json(_at_most(found, params))


def _metadata(catalogue: Catalogue, params: Params) -> str:
    """:return: the data of C{/api/v1/metadata}, as JSON."""
    wanted = params.get("metric")
    found = [metric for metric in catalogue.metrics if not wanted or metric.name == wanted]
    limit = count(params, "limit")
    if limit is not None and limit >= 0:
        found = found[:limit]
    return write_json({metric.name: [{"type": metric.kind.value, "help": metric.help,
                                      "unit": ""}] for metric in found})


def _build_information() -> str:
    """:return: the data of C{/api/v1/status/buildinfo}, as JSON."""
    return write_json({"version": "2.53.0+demo", "revision": "", "branch": "",
                       "buildUser": "", "buildDate": "", "goVersion": ""})


def _matching(catalogue: Catalogue, params: Params) -> list[Series]:
    wanted = selectors(params)
    return [one for one in catalogue.series
            if not wanted or any(selector.accepts(one.labels) for selector in wanted)]


def _at_most(found: list[_T], params: Params) -> list[_T]:
    limit = count(params, "limit")
    return found[:limit] if limit is not None and limit > 0 else found

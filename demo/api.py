"""The demo origin's HTTP API: Prometheus's, as far as dashboards need it."""

from __future__ import annotations

import re
from collections.abc import Callable, Generator
from typing import TypeVar

from attrs import define, field, frozen
from twisted.internet.defer import DeferredSemaphore
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater

from demo import lookups, spelling
from demo.evaluation import CannotEvaluate, Evaluation
from demo.language import is_scalar
from demo.ledger import Account
from demo.questions import ApiError, Question, instant_question, range_question
from demo.series import Catalogue
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
            return lambda: lookups.label_values(catalogue, name, params)
        known: dict[str, Callable[[], str | Question]] = {
            "/api/v1/query_range": lambda: range_question(params),
            "/api/v1/query": lambda: instant_question(params, self._now_ms()),
            "/api/v1/labels": lambda: lookups.label_names(catalogue, params),
            "/api/v1/series": lambda: lookups.series(catalogue, params),
            "/api/v1/metadata": lambda: lookups.metadata(catalogue, params),
            "/api/v1/status/buildinfo": lookups.build_information,
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

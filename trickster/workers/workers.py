"""The worker processes, all together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

from attrs import define, evolve, field, frozen
from twisted.application.service import Service
from twisted.internet.defer import Deferred, DeferredList
from twisted.logger import Logger

from trickster.config.options.caches import CacheOptions
from trickster.config.options.listeners import ListenerOptions
from trickster.config.options.model import Configuration
from trickster.workers.assignment import Assignment
from trickster.workers.own import OWN
from trickster.workers.places import Places
from trickster.workers.process import FIRST_SOCKET, Launcher, State, Watched, WorkerProcess
from trickster.workers.slot import Make, NotReplaced, Slot
from trickster.workers.sockets import Sockets

# Seconds that a worker has to end beside those that its requests have.
_MORE = 15.0
# How the names of files end that are the memory of caches.
_MEMORY = ".memory"
# How those begin at which workers ask each other.
_HOME = "home"


@frozen
class Plan:
    """
    What the workers are to do.

    :ivar configuration: of the installation.
    :ivar assignment: of every worker, but for what is its own.
    """

    configuration: Configuration
    assignment: Assignment

    @property
    def shared(self) -> dict[str, ListenerOptions]:
        """:return: by name, the listeners whose sockets all workers have."""
        return {name: options for name, options in self.configuration.opened.items()
                if name not in OWN}

    @property
    def in_memory(self) -> dict[str, CacheOptions]:
        """:return: by name, the caches in memory."""
        return {name: options for name, options in self.configuration.caches.items()
                if options.store == "memory"}

    @property
    def most_octets(self) -> int:
        """:return: of the caches in memory together; of those without a limit none."""
        return sum(_limit(options) for options in self.in_memory.values())

    @property
    def patience(self) -> float:
        """:return: seconds after which a worker that is to end is killed."""
        return _MORE + max((each.drain_timeout for each in self.shared.values()), default=0.0)


@frozen
class Surroundings:
    """
    What the supervisor works with.

    :ivar clock: an C{IReactorTime}.
    :ivar random: numbers from 0 to 1.
    :ivar launcher: starts processes.
    :ivar places: where files are that the workers share.
    :ivar log_line: takes lines that the workers log.
    """

    clock: Any
    random: Callable[[], float]
    launcher: Launcher
    places: Places
    log_line: Callable[[str], None]


@frozen(eq=False)
class _Task:
    """
    What workers do that belong together.

    :ivar number: of it, since workers ask only those that do the same.
    """

    plan: Plan
    sockets: Sockets
    number: int


@define(eq=False, slots=False)
class Workers(Service):
    """
    The worker processes.

    All accept from the same sockets: while one of them serves, no connection is refused, and one
    that was not accepted when a worker died is accepted by another.

    :ivar plan: what the workers are to do.
    :ivar sockets: of all listeners, as they are at the start.
    :ivar watch: called with each worker that begins to serve, and once it is gone.
    :ivar restarts: how many workers were started in the place of one that died.
    """

    _log = Logger()

    plan: Plan
    sockets: Callable[[], Sockets]
    _around: Surroundings
    watch: Callable[[WorkerProcess], None]
    restarts: int = field(default=0, init=False)
    _slots: list[Slot] = field(factory=list, init=False)
    _stopping: Deferred[Any] | None = field(default=None, init=False)
    _started: int = field(default=0, init=False)
    _plans: int = field(default=0, init=False)

    @property
    def serving(self) -> Sequence[WorkerProcess]:
        """:return: the workers that serve, in the order of their numbers."""
        return [process for slot in self._slots if (process := slot.process) is not None
                and process.state is State.SERVING]

    def startService(self) -> None:
        """
        Start the workers, once the reactor runs.

        :raises OSError: there is no place for what they share.
        """
        self._around.places.open(self.plan.most_octets)
        super().startService()
        self._stopping, self._slots = None, []
        self._start_up_to(self.plan.assignment.workers, self._maker(self.plan, self.sockets()))

    def stopService(self) -> Deferred[Any]:
        """
        Have all workers accept no more, and end with their last requests.

        :return: fires when they are gone.
        """
        super().stopService()
        if self._stopping is None:
            self._stopping = Deferred.fromCoroutine(self._stop())
        stopped: Deferred[Any] = Deferred()
        self._stopping.chainDeferred(stopped)
        return stopped

    def abort(self) -> None:
        """Have all workers end at once."""
        for slot in self._slots:
            slot.hurry()

    async def follow(self, plan: Plan, sockets: Sockets) -> None:
        """
        Have workers that do something else take the places of those that there are, one after the
        other: each of those ends with its last request, once the other one serves.

        :param plan: what they are to do; there may be more of them, or fewer.
        :param sockets: of all listeners of that.  Until this has ended, those before are still
            needed: a worker whose turn has not come may die.
        :raises NotReplaced: the first of them does not serve, or nothing is started any more;
            nothing is changed.
        """
        make, patience = self._maker(plan, sockets), self.plan.patience
        first, *others = self._slots
        await first.replace(make, patience)
        self.plan = plan
        for slot in others:
            if slot.number > plan.assignment.workers:
                await self._removed(slot, patience)
            else:
                await self._replaced(slot, make, patience)
        if self.running:
            self._start_up_to(plan.assignment.workers, make)
            self._forget()

    async def _removed(self, slot: Slot, patience: float) -> None:
        await slot.stop(patience)
        # Not before: until it has ended, it may be told to hurry.
        self._slots.remove(slot)

    async def _replaced(self, slot: Slot, make: Make, patience: float) -> None:
        try:
            await slot.replace(make, patience)
        except NotReplaced as error:
            if self.running:
                # What serves in another one's place will in this one's, too.
                self._log.error("{error}; it is tried again", error=error)
                slot.renew(make, patience)

    def _forget(self) -> None:
        """Remove the memory of caches that are no more, and the homes of workers before."""
        names = {_file_name(*each) for each in self.plan.in_memory.items()}
        directory = self._around.places.directory
        for path in directory.glob(f"*{_MEMORY}"):
            if path.name not in names:
                _remove(path, *directory.glob(f"{path.name}-*"))
        _remove(*(path for path in directory.glob(f"{_HOME}-*")
                  if not path.name.startswith(f"{_HOME}-{self._plans}-")))

    async def _stop(self) -> None:
        patience = self.plan.patience
        stopping = [Deferred.fromCoroutine(slot.stop(patience)) for slot in self._slots]
        await DeferredList(stopping, consumeErrors=True)
        self._around.places.close()

    def _start_up_to(self, number: int, make: Make) -> None:
        around = self._around
        for each in range(len(self._slots) + 1, number + 1):
            slot = Slot(each, make, around.clock, around.random, self._restarted, around.log_line,
                        self._changed)
            self._slots.append(slot)
            slot.start()

    def _changed(self, process: WorkerProcess) -> None:
        try:
            if process.state is State.SERVING:
                _name(process)
        except OSError as error:
            self._log.error("{worker} is not found by others, who ask the origin in its place: "
                            "{problem}", worker=process.name, problem=str(error))
        if process.state is State.GONE:
            # One that was killed has left them.
            _remove(*map(Path, (process.assignment.peers, *process.assignment.own.values())))
        self.watch(process)

    def _restarted(self) -> None:
        self.restarts += 1

    def _maker(self, plan: Plan, sockets: Sockets) -> Make:
        self._plans += 1
        return partial(self._made, _Task(plan, sockets, self._plans))

    def _made(self, task: _Task, number: int, watched: Watched) -> WorkerProcess:
        self._started += 1
        plan, sockets = task.plan, task.sockets
        names = sorted(plan.shared)
        directory = self._around.places.directory
        assignment = evolve(
            plan.assignment, number=number,
            sockets={name: FIRST_SOCKET + place for place, name in enumerate(names)},
            own={name: str(directory / f"{name}-{self._started}")
                 for name in plan.configuration.opened if name in OWN},
            peers=str(directory / f"peers-{self._started}"),
            homes=tuple(str(directory / f"{_HOME}-{task.number}-{each + 1}")
                        for each in range(plan.assignment.workers)),
            memory={name: str(directory / _file_name(name, options))
                    for name, options in plan.in_memory.items()})
        process = WorkerProcess(assignment, [sockets.descriptor(name) for name in names],
                                self._around.clock, watched)
        process.start(self._around.launcher)
        return process


def _name(process: WorkerProcess) -> None:
    """Have other workers find a process as the home of its keys, in the place of one before."""
    assignment = process.assignment
    home = Path(assignment.homes[assignment.number - 1])
    made = home.with_name(f"{home.name}.new")
    made.unlink(missing_ok=True)
    made.symlink_to(assignment.peers)
    made.replace(home)


def _remove(*paths: Path) -> None:
    for path in paths:
        with suppress(OSError):
            path.unlink()


def _limit(options: CacheOptions) -> int:
    limits = (options.index.max_size_bytes, options.plugin.max_size_bytes)
    return min((limit for limit in limits if limit > 0), default=0)


def _file_name(cache: str, options: CacheOptions) -> str:
    """:return: of the file for a cache; another one where the cache is to be another one."""
    said = f"{cache}: {options}".encode("utf-8", "surrogatepass")
    return f"{sha256(said).hexdigest()[:40]}{_MEMORY}"

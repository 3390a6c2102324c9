"""Work in other processes: several pieces at a time, and a piece that ends its process is done again in another way.

The standard library's ProcessPoolExecutor doesn't serve here. All its processes answer through one pipe: it waits
forever for the rest of an answer whose process was killed while it sent. One process that ends breaks the whole pool:
the others' pieces are lost, and nobody knows which piece was to blame. Its processes go on when the parent is killed,
and before Python 3.14 there is no public way to end one that is in the middle of a piece. Here each process has a pipe
of its own.
"""

import contextlib
import logging
import multiprocessing
import os
import pickle
import signal
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any

from imavatar.errors import ImavatarError

logger = logging.getLogger(__name__)

Make = Callable[[bool], Callable[[Any], Any]]
"""Called in a new process: whether it is to be the fallback; returns what does a piece. It must be picklable."""

ORPHANED = 1
"""Exit code of a process whose parent has ended."""
THE_PARENTS = {signal.SIGINT, getattr(signal, "SIGHUP", signal.SIGINT)}
"""Signals that a terminal sends to all processes of a command: the one that has started the others deals with them."""


class WorkerTraceback(Exception):
    """Where an exception was raised in another process, as text: its frames cannot be sent."""


@dataclass
class _Worker:
    """A process, this side of its pipe, and the number of the piece that it has."""

    process: BaseProcess
    pipe: Connection
    piece: int | None = None

    @classmethod
    def start(cls, make: Make, fallback: bool) -> "_Worker":
        # A forked process would share the threads' locks of libraries that are loaded here.
        context = multiprocessing.get_context("spawn")
        here, there = context.Pipe()
        # As bytes: the new process loads what they need, which takes seconds, when it already sees its parent end.
        process = context.Process(target=_serve, args=(there, pickle.dumps(make), fallback), daemon=True)
        with _signals_of_the_parent():
            process.start()
        there.close()
        return cls(process, here)

    def give(self, numbered: tuple[int, Any] | None) -> None:
        """The next piece and its number; nothing is left where there is none."""
        self.piece, piece = numbered or (None, None)
        # Of a process that has ended its pipe says so when it is read.
        with contextlib.suppress(ConnectionError):
            if numbered:
                _send(self.pipe, piece)

    def stop(self) -> None:
        self.pipe.close()
        self.process.terminate()
        self.process.join()


def work_in_processes(make: Make, pieces: Sequence[Any], n_processes: int) -> Iterator[Any]:
    """Results of all pieces, in their order, as they become known.

    A process that ends without an answer, as by a fault in a compiled library, is replaced, and its piece done by one
    that is made with `fallback`.

    Raises:
        ImavatarError: a process ended by the fallback too. Whatever a piece raises is raised here.
    """
    waiting = iter(enumerate(pieces))
    workers = [_Worker.start(make, fallback=False) for _ in range(min(n_processes, len(pieces)))]
    found: dict[int, Any] = {}
    following = 0
    try:
        for worker in workers:
            worker.give(next(waiting, None))
        while following < len(pieces):
            while following in found:
                yield found.pop(following)
                following += 1
            busy = {worker.pipe: worker for worker in workers if worker.piece is not None}
            for pipe in wait(list(busy)) if busy else ():
                worker = busy[pipe]
                number = worker.piece
                try:
                    done, result = _receive(worker.pipe)
                except EOFError:
                    workers[workers.index(worker)] = replacement = _Worker.start(make, fallback=False)
                    worker.stop()
                    logger.info("the process of piece %d ended without an answer; doing it by the fallback", number)
                    done, result = _do_by_fallback(make, pieces[number])
                    worker = replacement
                if not done:
                    raised, text = result
                    raise raised from WorkerTraceback(text)
                found[number] = result
                worker.give(next(waiting, None))
    finally:
        for worker in workers:
            worker.stop()


def _do_by_fallback(make: Make, piece: Any) -> tuple[bool, Any]:
    worker = _Worker.start(make, fallback=True)
    try:
        worker.give((0, piece))
        return _receive(worker.pipe)
    except EOFError as error:
        worker.process.join()
        raise ImavatarError(
            f"a process that renders ended without an answer, twice (exit code {worker.process.exitcode}); "
            "is there enough memory? Fewer --workers need less"
        ) from error
    finally:
        worker.stop()


@contextlib.contextmanager
def _signals_of_the_parent() -> Iterator[None]:
    """Processes that are started here block THE_PARENTS, from their first moment on; this one deals with them after."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    # Its own start, which would come with that of the first process, unblocks them.
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, THE_PARENTS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _serve(pipe: Connection, make: bytes, fallback: bool) -> None:
    """The other side: pieces in, whether they were done and the result or the exception out."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        work = pickle.loads(make)(fallback)
        while True:
            piece = _receive(pipe)
            _send(pipe, (True, work(piece)))
    except (EOFError, ConnectionError):
        return
    except Exception as error:
        # Raised again where the work was asked for.
        _send(pipe, (False, (_sendable(error), "".join(traceback.format_exception(error)))))


def _sendable(error: Exception) -> Exception:
    """An exception that the other side can read: itself, as most are."""
    try:
        pickle.loads(pickle.dumps(error))
    except (pickle.PicklingError, TypeError, AttributeError, ValueError):
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error


def _end_with_parent() -> None:
    """A parent that is killed cannot end its children, and a piece takes long."""
    wait([multiprocessing.parent_process().sentinel])
    os._exit(ORPHANED)


def _send(pipe: Connection, value: Any) -> None:
    """Send copies: a pipe's own way would move the storage of torch's tensors to shared memory, from under arrays that
    look at it.
    """
    pipe.send_bytes(pickle.dumps(value))


def _receive(pipe: Connection) -> Any:
    """What the other side has sent.

    Raises:
        EOFError: it has ended, before a message or in the middle of one.
    """
    try:
        content = pipe.recv_bytes()
    except OSError as error:
        raise EOFError("the other side has ended") from error
    return pickle.loads(content)

"""The board, in a thread of its own: nobody else speaks to it. Orders and pictures come in, events go out.

A board that is lost is connected to again and again; whatever happens to it or to a browser, each exchange with it is
whole or has not happened, which is what the protocol promises.
"""

from __future__ import annotations

import secrets
import sys
import tempfile
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

from tinyengine.data.metadata import ModelMetadata
from tinyengine.device import Device, Identity
from tinyengine.device.errors import RefusedError, RestartedError
from tinyengine.device.recognition import Recognition, Recognizer, input_form
from tinyengine.device.sources import NamedPicture
from tinyengine.device.training import DeviceTrainer, TrainingInfo
from tinyengine.errors import DataError, DeviceError, TinyEngineError
from tinyengine.finetune.exchange import TrainedState, find_network, write_state, write_trained
from tinyengine.live import arena
from tinyengine.live.collection import Collection
from tinyengine.live.messages import (
    AddClass,
    Choose,
    Collect,
    Measure,
    Order,
    Pull,
    RemoveClass,
    Reset,
    Restore,
    Save,
    SentPicture,
    Step,
    Stop,
    Train,
    Undo,
)
from tinyengine.live.sources import HostSource, Moment, Shot, received
from tinyengine.live.teaching import Lesson, teach
from tinyengine.report.training import evaluation_report, info_report

Connect = Callable[[], AbstractContextManager[Device]]
Publish = Callable[[dict[str, Any] | bytes], None]
"""Called in the session's thread with an event, or with the picture that the next answer is about."""

FIRST_WAIT, LONGEST_WAIT = 0.5, 5.0
"""Seconds before a lost board is connected to again."""
OFTEN = 0.1
"""Seconds between two reports of something that goes on."""
REPEATED = 5.0
"""Seconds in which a page is not told the same twice."""
MANY = 8
"""Numbers of an output that pages are told."""
LONGEST_BURST = 60.0
"""Seconds after which a key that nobody lets go of counts as let go."""
QUIET = 2.0
"""Seconds without a picture after which the board is asked how it is."""
QUEUED = 64
"""Orders that may wait."""


@dataclass(frozen=True)
class Options:
    """How the session sees the board's network. ``model``: its file, where it is known."""

    mapping: str | None = None
    color: str | None = None
    by_rows: bool | None = None
    model: Path | None = None
    scheme: str | None = None


@dataclass(eq=False)
class _Burst:
    """From the press of a class's key to the last picture that was taken before its release."""

    press: int
    name: str
    until: float  # time.monotonic() after which it counts as released
    kept: int = 0
    released: bool = False

    @property
    def done(self) -> bool:
        """Whether the page need not show it any more."""
        return self.released and self.kept > 0

    def wants(self, moment: Moment) -> bool:
        """Whether a picture is of this burst: one that was under way when the key was pressed is not, one that was
        under way when it was released is. A press too short for any picture gets the next one."""
        if moment.held:
            return moment.presses == self.press
        return self.released and not self.kept and moment.presses >= self.press

    def ends_before(self, moment: Moment) -> bool:
        """Whether no later picture belongs to it."""
        return self.done and not (moment.held and moment.presses == self.press)


@dataclass(eq=False)
class _Board:
    """A connected board and what is known about it."""

    device: Device
    metadata: ModelMetadata
    recognizer: Recognizer
    trainer: DeviceTrainer | None
    info: TrainingInfo | None
    results: Iterator[Recognition]
    last_run: int = -1


class Session:
    """Start it, give it orders and pictures from any thread, close it."""

    def __init__(
        self,
        connect: Connect,
        collection: Collection,
        publish: Publish,
        source: HostSource | None = None,
        options: Options | None = None,
    ) -> None:
        self._connect = connect
        self._collection = collection
        self._publish = publish
        self._host = source
        self._options = options or Options()
        self._changed = threading.Condition()
        self._orders: deque[Order] = deque()
        self._sent: tuple[SentPicture, Moment] | None = None
        self._now = Moment()
        self._closing = threading.Event()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="board", daemon=True)
        # what pages are told about; the session's thread alone writes them, but for _arena, see _find_arena
        self._link, self._problem = "connecting", ""
        self._source = "host" if source else "none"
        self._busy = ""
        self._burst: _Burst | None = None
        self._presses = 0  # that have been obeyed
        self._board: _Board | None = None
        self._shot: Shot | None = None
        self._number = 0
        self._heard = 0.0  # when the board answered last
        self._said, self._said_at = "", 0.0
        self._layers: list[dict[str, Any]] = []
        self._arena: list[dict[str, Any]] | None = None
        self._arena_of = ""
        self._statistics: dict[str, Any] = {}
        self._lesson: dict[str, Any] | None = None
        self.files: dict[str, tuple[str, bytes]] = {}
        """What was pulled last: by a name nobody guesses, file name and content."""

    # ---- from other threads

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        """End a training after its step, leave the board."""
        self._closing.set()
        self._stop.set()
        with self._changed:
            self._changed.notify_all()
        if self._thread.is_alive():
            self._thread.join(30)

    def submit(self, order: Order) -> bool:
        """An order to be obeyed in its turn. A stop takes no turn. False where the board is not there, or has something
        else to do: an order is for this board, and for now, unless it only says where pictures come from or that a key
        is up."""
        if isinstance(order, Stop):
            self._stop.set()
            return True
        any_time = isinstance(order, Choose) or (isinstance(order, Collect) and not order.on)
        with self._changed:
            if not any_time and (self._busy or self._link != "connected" or len(self._orders) >= QUEUED):
                return False
            self._queue(order)
        return True

    def offer(self, picture: SentPicture) -> None:
        """A picture of the browser; one that has not been looked at yet gives way to it."""
        with self._changed:
            self._sent = picture, self._now
            self._changed.notify_all()

    def leave(self) -> None:
        """Nobody controls any more: no key is held, and no browser sends pictures."""
        with self._changed:
            self._queue(Collect("", False))
            if self._source == "browser":
                self._queue(Choose("none"))

    def _queue(self, order: Order) -> None:
        """Of a key it counts when the press arrives, not when the board gets round to it."""
        if isinstance(order, Collect):
            self._now = Moment(self._now.presses + order.on, order.on)
        last = self._orders[-1] if self._orders else None
        if isinstance(order, Choose) and isinstance(last, Choose):
            self._orders.pop()  # only the last choice counts
        if not (isinstance(order, Collect) and isinstance(last, Collect) and not (order.on or last.on)):
            self._orders.append(order)
        self._changed.notify_all()

    def snapshot(self) -> dict[str, Any]:
        """Everything that a page which has just come must know, but for who controls."""
        board = self._board
        identity = board.device.identity if board else None
        info = board.info if board else None
        classes = [
            {"name": name, "samples": count, "taught": bool(info and name in info.class_names)}
            for name, count in self._collection.counts.items()
        ]
        return {
            "is": "state",
            "link": self._link,
            "problem": self._problem,
            "busy": self._busy,
            "source": self._source,
            "host_source": self._host.shown if self._host else None,
            "holding": bool(self._host and self._host.hold),
            "stays": bool(self._host and self._host.stays),
            "collecting": self._burst.name if self._burst and not self._burst.done else "",
            "classes": classes,
            "can_undo": self._collection.can_undo,
            "folder": str(self._collection.folder),
            "board": identity.board if identity else None,
            "model": identity.model if identity else None,
            "model_file": self._options.model is not None,
            "counter_unit": identity.counter_unit if identity else None,
            "counter_rate": identity.counter_rate if identity else None,
            "arena_bytes": identity.arena_bytes if identity else None,
            "baud": board.device.baud if board else None,
            "training": info_report(info) if info else None,
            "names": list(board.recognizer.metadata.classes) if board else [],
            "layers": self._layers,
            "arena": self._arena,
            "statistics": self._statistics,
            "lesson": self._lesson,
        }

    # ---- the thread

    def _run(self) -> None:
        wait = FIRST_WAIT
        while not self._closing.is_set():
            started = time.monotonic()
            try:
                with self._connect() as device:
                    self._serve(device)
            except (TinyEngineError, OSError) as error:
                self._lost(str(error))
            except Exception as error:  # a mistake of ours must not end the page
                traceback.print_exc(file=sys.stderr)
                self._lost(f"something unexpected happened ({type(error).__name__}): connecting anew")
            if time.monotonic() - started > LONGEST_WAIT:
                wait = FIRST_WAIT
            self._closing.wait(wait)
            wait = min(2 * wait, LONGEST_WAIT)
        if self._host:
            self._host.close()

    def _lost(self, sentence: str) -> None:
        self._board = None
        self._busy = ""
        self._end_burst()
        with self._changed:  # what was meant for this board is not for the next; where pictures come from stays
            self._orders = deque(order for order in self._orders if isinstance(order, Choose))
            self._presses = self._now.presses
        self._link, self._problem = "lost", sentence
        self._tell_state()

    def _serve(self, device: Device) -> None:
        self._attach(device)
        self._link, self._problem = "connected", ""
        self._measure()
        self._tell_state()
        while not self._closing.is_set():
            order = self._next_order()
            if order is not None:
                self._obey(order)
                continue
            try:
                shot = self._next_shot()
                if shot is not None:
                    self._look(shot)
                elif time.monotonic() - self._heard > QUIET:
                    self._ask_how_it_is(device)
            except RefusedError as error:
                self._complain(str(error))
                self._source = "none"
                self._tell_state()
            except DeviceError:
                raise
            except TinyEngineError as error:  # of a picture or of where it comes from
                self._complain(str(error))
                self._again()
                if self._source == "host":
                    self._source = "none"
                    self._tell_state()

    def _ask_how_it_is(self, device: Device) -> None:
        """So that a board that has gone is missed, even where nobody wants anything of it."""
        before = self._statistics.get("uptime_ms", 0)
        self._statistics = asdict(device.statistics())
        self._heard = time.monotonic()
        if self._statistics["uptime_ms"] < before:
            self._restarted()

    def _attach(self, device: Device) -> None:
        """Learn who the board is, and what its outputs mean now."""
        metadata = device.identity.metadata.override(mapping=self._options.mapping, color=self._options.color)
        trainer = DeviceTrainer(device, self._options.by_rows) if device.identity.can_train else None
        info = trainer.info() if trainer else None
        recognizer = Recognizer(device, metadata, self._options.by_rows)
        self._board = _Board(device, metadata, recognizer, trainer, info, iter(()))
        self._again()
        for name in info.class_names if info else ():
            self._collection.know(name)

    def _again(self) -> None:
        """Begin a new stream: states of the network have their initial values."""
        if self._board:
            self._board.results = self._board.recognizer.stream(self._pictures())

    def _pictures(self) -> Iterator[NamedPicture]:
        while self._shot is not None:
            yield self._shot.name, self._shot.image

    def _next_order(self) -> Order | None:
        """What to do first; waits for an order or a picture where there is neither."""
        with self._changed:
            if not self._orders:
                if self._source == "host" and self._host:
                    wait = self._host.wait()
                else:
                    wait = 0.0 if self._source == "browser" and self._sent is not None else 0.5
                if wait > 0:
                    self._changed.wait(wait)
            return self._orders.popleft() if self._orders else None

    def _next_shot(self) -> Shot | None:
        if self._source == "host" and self._host:
            return self._host.next(self._now) if self._host.wait() <= 0 else None
        if self._source != "browser":
            return None
        with self._changed:
            sent, self._sent = self._sent, None
        return received(*sent) if sent is not None else None

    def _look(self, shot: Shot) -> None:
        """Let the board judge a picture; tell everybody; keep it where a key is held."""
        board = self._board
        assert board is not None
        self._shot = shot
        result = next(board.results)
        self._number += 1
        if result.inference.run <= board.last_run:
            self._restarted()
        board.last_run = result.inference.run
        self._heard = time.monotonic()
        event = self._answer(board, result)
        changed = self._keep(shot, event)
        self._publish(shot.preview())
        self._publish(event)
        if changed:
            self._tell_state()

    def _answer(self, board: _Board, result: Recognition) -> dict[str, Any]:
        """What ``stream --json`` says, and names for the probabilities; of other outputs the first numbers only: a map
        of classes is large."""
        answer, numbers = result.answer, result.answer is None and result.boxes is None
        event = {"is": "answer", "number": self._number, "from": self._source}
        event |= (replace(result, boxes=()) if numbers else result).report()
        if answer:
            metadata = board.recognizer.metadata
            event["names"] = [metadata.class_name(k) for k in range(len(answer.probabilities))]
        if numbers:
            event["boxes"] = None
            event["shares"] = result.shares
            event["numbers"] = [
                {
                    "name": result.output(k).name or port.name,
                    "size": int(real.size),
                    "values": real.ravel()[:MANY].tolist(),
                }
                for k, (port, real) in enumerate(zip(result.ports, result.reals, strict=True))
            ]
        return event

    def _restarted(self) -> None:
        """The board has begun to count its runs anew: its weights may be others than before."""
        assert self._board is not None
        self._notice("the board has restarted: it has its saved weights, or the factory's", "warning")
        self._attach(self._board.device)
        self._tell_state()

    def _keep(self, shot: Shot, event: dict[str, Any]) -> bool:
        """Make a sample of a picture where a key is held, and say so in its event; whether the state has changed."""
        burst = self._burst
        if burst is None:
            return False
        if burst.wants(shot.moment):
            try:
                self._collection.add(burst.name, *shot.sample())
            except DataError as error:
                self._notice(str(error))
                self._end_burst()
                return True
            burst.kept += 1
            event["collected"] = {"class": burst.name, "samples": self._collection.counts[burst.name]}
        elif burst.ends_before(shot.moment):
            self._end_burst()
            return True
        if not burst.released and time.monotonic() > burst.until:
            burst.released = True
            self._now = Moment(self._now.presses)
        return burst.released

    def _end_burst(self) -> None:
        self._burst = None
        self._collection.end()

    # ---- orders

    def _obey(self, order: Order) -> None:
        try:
            self._do(order)
        except RestartedError:
            raise  # what is not saved is lost: connect anew, and say so
        except RefusedError as error:
            self._notice(str(error))
        except DeviceError as error:
            if self._said_by_a_whole_board():
                self._notice(str(error))
            else:
                raise
        except TinyEngineError as error:
            self._notice(str(error))
        finally:
            if self._busy:
                self._busy = ""
            self._tell_state()

    def _said_by_a_whole_board(self) -> bool:
        """Whether the board still answers after an error (nothing is saved, its flash is full, ...)."""
        assert self._board is not None
        try:
            self._board.device.statistics()
        except TinyEngineError:
            return False
        return True

    def _do(self, order: Order) -> None:
        match order:
            case Choose(source):
                self._choose(source)
            case Step(hold):
                if self._host:
                    self._host.hold = hold
                    self._host.step()
            case Collect(name, on):
                self._collect(name, on)
            case AddClass(name):
                self._collection.add_class(name)
            case RemoveClass(name):
                if name in self._taught():
                    raise DataError(f"the board has learned {name}: a reset makes it forget its classes")
                self._collection.remove_class(name)
            case Undo():
                self._burst = None
                name, count = self._collection.undo()
                self._notice(f"removed {count} samples of {name}", "done")
            case Measure():
                self._measure()
            case Train(epochs, rate):
                self._train(epochs, rate)
            case Save():
                saved = self._need_trainer().save()
                self._refresh()
                self._notice(f"saved in the board's flash (generation {saved.generation})", "done")
            case Restore():
                saved = self._need_trainer().restore()
                self._refresh()
                self._notice(f"the board has its saved weights back ({saved.steps} training steps)", "done")
            case Reset(forget):
                trainer = self._need_trainer()
                trainer.reset()
                if forget:
                    trainer.forget()
                self._lesson = None
                self._refresh()
                self._notice("the board has the factory's weights", "done")
            case Pull():
                self._pull()

    def _taught(self) -> tuple[str, ...]:
        return self._board.info.class_names if self._board and self._board.info else ()

    def _choose(self, source: str) -> None:
        if source == "host" and self._host is None:
            raise DataError("the host has no pictures: start tinyengine live with --source camera, or a folder")
        if self._host and source != "host":
            self._host.close()
        self._end_burst()
        if source != "browser":
            with self._changed:
                self._sent = None
        self._source = source
        self._again()

    def _collect(self, name: str, on: bool) -> None:
        if not on:
            if self._burst:
                self._burst.released = True
                if self._source == "none":
                    self._end_burst()
            return
        self._end_burst()
        self._presses += 1
        if self._source == "none":
            raise DataError("there are no pictures to collect: turn a camera on first")
        self._collection.begin(name)
        self._burst = _Burst(self._presses, name, time.monotonic() + LONGEST_BURST)

    def _need_trainer(self) -> DeviceTrainer:
        board = self._board
        assert board is not None
        if board.trainer is None:
            raise DataError(
                f"the network {board.device.identity.model} on this board cannot be trained: build it with --train "
                "SCHEME"
            )
        return board.trainer

    def _measure(self) -> None:
        """What each layer takes, how the board fares, and where in the arena things lie."""
        board = self._board
        assert board is not None
        device = board.device
        if device.identity.has_profile:
            self._layers = [asdict(layer) for layer in device.profile()]
            self._again()  # it has rewound states
        self._statistics = asdict(device.statistics())
        board.last_run = -1
        model, identity = self._options.model, device.identity
        if model is not None and self._arena_of != identity.model_hash:
            self._arena_of, self._arena = identity.model_hash, None
            # compiling takes seconds, in which the board has better things to do
            finding = threading.Thread(target=self._find_arena, args=(model, identity, board.info), daemon=True)
            finding.start()

    def _find_arena(self, model: Path, identity: Identity, info: TrainingInfo | None) -> None:
        try:
            compiled = arena.find_plan(model, identity, info)
        except TinyEngineError as error:
            self._notice(str(error), "warning")
            return
        if compiled is None:
            self._notice(
                f"{model} as the board has it was not found again, so the page does not show what lies where in the "
                "arena: give the file that the firmware was built from",
                "warning",
            )
            return
        self._arena = arena.places(compiled)
        self._tell_state()

    def _refresh(self) -> None:
        """After the weights have changed: what they are, and what their classes are called."""
        assert self._board is not None
        self._attach(self._board.device)

    def _train(self, epochs: float, rate: float | None) -> None:
        trainer = self._need_trainer()
        board = self._board
        assert board is not None
        self._end_burst()
        self._collection.refresh()
        self._stop.clear()
        if self._closing.is_set():
            return
        self._busy = "training"
        self._lesson = None
        self._tell_state()
        self._publish({"is": "training"})
        curve = _Curve(self._publish)
        try:
            lesson = teach(
                trainer,
                input_form(board.device, board.metadata),
                self._collection.folder,
                self._collection.with_samples(),
                epochs,
                rate,
                _Activity(self._publish),
                curve.add,
                self._stop.is_set,
            )
        finally:
            curve.flush()
        self._lesson = _lesson_report(lesson)
        self._refresh()
        self._statistics = asdict(board.device.statistics())
        self._publish({"is": "trained", "lesson": self._lesson})

    def _pull(self) -> None:
        """The trained weights as files that a page may fetch: .npz, and with --model the network."""
        trainer = self._need_trainer()
        info = trainer.info()
        state = TrainedState(trainer.read_state(), info.layout, info.scheme, info.steps, info.class_names)
        with tempfile.TemporaryDirectory() as scratch:
            name = Path(self._board.device.identity.model).stem if self._board else "network"
            write_state(state, Path(scratch) / f"{name}_trained.npz")
            if self._options.model is not None:
                scheme = self._options.scheme or info.scheme
                network = find_network(self._options.model, info.layout, scheme, info.classes)
                write_trained(network, state, Path(scratch) / f"{name}_trained.tflite")
            written = sorted(Path(scratch).iterdir())
            self.files = {secrets.token_urlsafe(16): (path.name, path.read_bytes()) for path in written}
        files = [{"name": name, "href": f"files/{key}/{quote(name)}"} for key, (name, _) in self.files.items()]
        self._publish({"is": "pulled", "files": files, "steps": info.steps})

    # ---- to pages

    def _tell_state(self) -> None:
        self._publish(self.snapshot())

    def _complain(self, text: str) -> None:
        """Of a picture: the next one is probably as bad, which need not be said each time."""
        now = time.monotonic()
        if text != self._said or now - self._said_at > REPEATED:
            self._said, self._said_at = text, now
            self._notice(text)

    def _notice(self, text: str, kind: str = "error") -> None:
        self._publish({"is": "notice", "kind": kind, "text": text})


class _Activity:
    """Reports of a training for pages, not more often than they can be read."""

    def __init__(self, publish: Publish) -> None:
        self._publish = publish
        self._last, self._what = 0.0, ""

    def __call__(self, what: str, done: int, total: int, figures: str = "") -> None:
        now = time.monotonic()
        if what != self._what or now - self._last > OFTEN or done == total:
            self._what, self._last = what, now
            self._publish({"is": "activity", "what": what, "done": done, "total": total, "figures": figures})


class _Curve:
    """Losses of steps, some at once."""

    def __init__(self, publish: Publish) -> None:
        self._publish = publish
        self._points: list[tuple[float, bool]] = []
        self._last = time.monotonic()

    def add(self, loss: float, right: bool) -> None:
        self._points.append((loss, right))
        if time.monotonic() - self._last > OFTEN:
            self.flush()

    def flush(self) -> None:
        self._last = time.monotonic()
        if self._points:
            self._publish({"is": "steps", "points": self._points})
            self._points = []


def _lesson_report(lesson: Lesson) -> dict[str, Any]:
    """``before`` and ``after``: of the held-out samples, as ``train --json`` has them."""
    result = lesson.result
    evaluations = [evaluation_report(found, lesson.held_out) for found in result.evaluations]
    for report in evaluations:
        for worst in report["worst"]:
            worst["picture"] = Path(worst["picture"]).name
    return {
        "classes": list(lesson.held_out.classes),
        "before": evaluations[0] if evaluations else None,
        "after": evaluations[-1] if len(evaluations) > 1 else None,
        "trained_on": lesson.trained_on,
        "steps": result.steps,
        "rate": lesson.options.rate,
        "interrupted": result.interrupted,
        "diverged_at": result.diverged_at,
        "kept_step": result.kept_step,
    }

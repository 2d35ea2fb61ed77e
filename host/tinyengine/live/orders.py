"""Obeying the orders of pages."""

from __future__ import annotations

from dataclasses import dataclass

from tinyengine.device.errors import RefusedError, RestartedError
from tinyengine.errors import DataError, DeviceError, TinyEngineError
from tinyengine.live.board import Board
from tinyengine.live.collecting import Collecting
from tinyengine.live.collection import Collection
from tinyengine.live.inside import Inside
from tinyengine.live.lessons import Lessons
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
    Step,
    Train,
    Undo,
)
from tinyengine.live.pages import Pages
from tinyengine.live.pictures import Pictures
from tinyengine.live.pulled import Pulled


@dataclass(frozen=True, eq=False)
class Orders:
    """Whom each order concerns."""

    collection: Collection
    collecting: Collecting
    pictures: Pictures
    inside: Inside
    lessons: Lessons
    pulled: Pulled
    pages: Pages

    def obey(self, order: Order, board: Board) -> None:
        """Do it, or say why not, and tell what is so now. DeviceError where the board is lost."""
        try:
            self._do(order, board)
        except RestartedError:
            raise  # what is not saved is lost: connect anew, and say so
        except RefusedError as error:
            self.pages.notice(str(error))
        except DeviceError as error:
            if board.answers():
                self.pages.notice(str(error))
            else:
                raise
        except TinyEngineError as error:
            self.pages.notice(str(error))
        finally:
            self.lessons.end()
            self.pages.tell_state()

    def _do(self, order: Order, board: Board) -> None:
        match order:
            case Choose(source):
                self.pictures.choose(source)
                self.collecting.end()
                board.again()
            case Step(hold):
                self.pictures.step(hold)
            case Collect(name, on):
                self._collect(name, on)
            case AddClass(name):
                self.collection.add_class(name)
            case RemoveClass(name):
                if name in board.taught:
                    raise DataError(f"the board has learned {name}: a reset makes it forget its classes")
                self.collection.remove_class(name)
            case Undo():
                name, count = self.collecting.undo()
                self.pages.notice(f"removed {count} samples of {name}", "done")
            case Measure():
                self.inside.measure(board)
            case Train(epochs, rate):
                trainer = board.trainer
                self.collecting.end()
                self.lessons.teach(board, trainer, epochs, rate)
            case Save():
                saved = board.trainer.save()
                board.learn()
                self.pages.notice(f"saved in the board's flash (generation {saved.generation})", "done")
            case Restore():
                saved = board.trainer.restore()
                board.learn()
                self.pages.notice(f"the board has its saved weights back ({saved.steps} training steps)", "done")
            case Reset(forget):
                board.trainer.reset()
                if forget:
                    board.trainer.forget()
                self.lessons.forget()
                board.learn()
                self.pages.notice("the board has the factory's weights", "done")
            case Pull():
                self.pulled.pull(board)

    def _collect(self, name: str, on: bool) -> None:
        nothing = self.pictures.source == "none"
        if on:
            self.collecting.end()
            if nothing:
                raise DataError("there are no pictures to collect: turn a camera on first")
            self.collecting.press(name)
        else:
            self.collecting.release()
            if nothing:
                self.collecting.end()

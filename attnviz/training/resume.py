"""Exact resume: killed at any step, a training goes on to the same weights.

Lightning's own resume forgets the place in the data and the random states. Here both are pure
functions of seed, epoch and step, so that a checkpoint holds numbers only: weights, optimiser
state, where to go on, and what was counted so far.
"""

import io
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning import Callback, LightningModule, Trainer

from attnviz.files import replacing
from attnviz.training.batching import ResumableData
from attnviz.training.history import Row, finished, rank
from attnviz.training.module import Learner
from attnviz.training.optimising import set_rate
from attnviz.training.processes import Place, gathered, summed
from attnviz.training.stopping import StopRequest

__all__ = ["ExactResume", "load_checkpoint"]


def load_checkpoint(path: Path) -> dict[str, Any] | None:
    """A checkpoint of a run, or None where there is none.

    Raises:
        ValueError: If the file is damaged.
    """
    if not path.is_file():
        return None
    try:
        checkpoint: dict[str, Any] = torch.load(path, weights_only=True, map_location="cpu")
    except Exception as error:  # a damaged file can raise anything
        raise ValueError(
            f"{path} is damaged ({error}). Delete it to train this run from the start."
        ) from error
    return checkpoint


class ExactResume(Callback):
    """Restores a run where its checkpoint left it, and writes new checkpoints.

    Arguments:
        path: The checkpoint.
        data: Told where to go on.
        every: Steps between two checkpoints within an epoch.
        improved: Called when the validation score is the best so far, before the checkpoint.
        report: Called with each epoch's row of the history.
        progress: Called with steps done and in all.
        scored: Gives what else a row of the history tells of the model after an epoch.
        stop: Ends the training after a step, or after an epoch's validation, if asked to.
    """

    def __init__(
        self,
        path: Path,
        data: ResumableData[Any],
        *,
        every: int,
        improved: Callable[[Row], None],
        report: Callable[[list[Row]], None],
        progress: Callable[[int, int], None] | None = None,
        scored: Callable[[], Row] | None = None,
        stop: StopRequest,
    ) -> None:
        self.path, self.data, self.every = path, data, every
        self.improved, self.report, self.progress, self.stop = improved, report, progress, stop
        self.scored = scored
        self.history: list[Row] = []
        self.batch, self.step, self.watch = 0, 0, Stopwatch()
        self.interrupted = False
        self._restored = load_checkpoint(path)
        if self._restored is not None:
            self.data.epoch = self._restored["epoch"]
            self.data.first = self.batch = self._restored["batch"]
            self.step, self.history = self._restored["step"], self._restored["history"]
            self.watch = Stopwatch(self._restored["spent"])

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Puts weights, optimiser and counts back."""
        self.stop.listen()  # only now: Lightning has just set handlers of its own
        self.watch.start()
        module = _learner(pl_module)
        module.place = Place(trainer.global_rank, trainer.world_size)
        if self._restored is None:
            return
        module.model.load_state_dict(self._restored["model"])
        trainer.optimizers[0].load_state_dict(self._restored["optimizer"])
        first, count = module.place
        # Sums of all processes: the first goes on from them, the others from nothing.
        module.seen = [0.0 if first else number for number in self._restored["seen"]]
        module.carry([one[first::count] for one in self._restored.get("carried", [])])
        if (scaler := _scaler(trainer)) is not None:
            scaler.load_state_dict(self._restored["scaler"])
        self._restored = None

    def on_train_batch_start(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        batch: Any,  # noqa: ANN401  (Lightning's signature)
        batch_idx: int,
    ) -> None:
        """Makes this step's random state a function of seed and step, its rate one of the epoch."""
        own = trainer.global_rank * 1_000_000_007  # a process's dropout is its own
        torch.manual_seed(self.data.recipe.seed * 1_000_003 + self.step + own)
        set_rate(trainer.optimizers[0], self.data.recipe, self.data.epoch)

    def on_train_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,  # noqa: ANN401  (Lightning's signature)
        batch: Any,  # noqa: ANN401
        batch_idx: int,
    ) -> None:
        """Counts the step and now and then writes a checkpoint."""
        self.batch, self.step = self.batch + 1, self.step + 1
        if self.progress is not None and trainer.is_global_zero:
            self.progress(self.step, self.steps)
        self._hear_others(trainer)
        # The last step of an epoch is saved with its validation.
        if self.batch == self.data.steps:
            return
        if self.step % self.every == 0 or self.stop.asked is not None:
            self._save(trainer, _learner(pl_module))
        self._stop_if_asked()

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Ends the epoch: history, choice of the model, checkpoint."""
        module = _learner(pl_module)
        module.seen = summed(trainer, module.seen)
        row: Row = {
            "epoch": self.data.epoch + 1,
            "step": self.step,
            **module.take_scores(),
            **self.watch.spent,
            **({} if self.scored is None else self.scored()),
        }
        best = max(map(rank, self.history), default=float("-inf"))
        self.history.append(row)
        if rank(row) > best and trainer.is_global_zero:
            self.improved(row)
        self.watch, self.batch = Stopwatch(), 0
        self.data.epoch, self.data.first = self.data.epoch + 1, 0
        module.carry([])
        self._save(trainer, module)
        if trainer.is_global_zero:
            self.report(self.history)
        trainer.should_stop = trainer.should_stop or finished(self.history, self.data.recipe)
        self._hear_others(trainer)
        self._stop_if_asked()

    def on_exception(
        self, trainer: Trainer, pl_module: LightningModule, exception: BaseException
    ) -> None:
        """Notes a stop from the keyboard, which Lightning turns into an exit of its own."""
        self.interrupted = isinstance(exception, KeyboardInterrupt)

    @property
    def steps(self) -> int:
        """Of the whole training."""
        return self.data.steps * self.data.recipe.epochs

    def _hear_others(self, trainer: Trainer) -> None:
        """A stop that one process is asked for is one of all, after the same step."""
        if trainer.world_size > 1:
            asked = torch.tensor(self.stop.asked or 0, device=trainer.strategy.root_device)
            asked = trainer.strategy.reduce(asked, reduce_op="max")
            self.stop.asked = int(asked) or None

    def _stop_if_asked(self) -> None:
        if self.stop.asked is not None:
            self.stop.say(f"A checkpoint is written at step {self.step:,} of {self.steps:,}.")
            self.stop.grant()

    def _save(self, trainer: Trainer, module: Learner) -> None:
        checkpoint = {
            "model": module.model.state_dict(),
            "optimizer": trainer.optimizers[0].state_dict(),
            "seen": summed(trainer, module.seen),
            "carried": gathered(trainer, module.carried()),
            "scaler": None if (scaler := _scaler(trainer)) is None else scaler.state_dict(),
            "epoch": self.data.epoch,
            "batch": self.batch,
            "step": self.step,
            "history": self.history,
            "spent": self.watch.spent,
        }
        if trainer.is_global_zero:
            # Writing to a file itself, torch tells of a full disk by no OSError.
            written = io.BytesIO()
            torch.save(checkpoint, written)
            with replacing(self.path) as beside, written.getbuffer() as whole:
                beside.write_bytes(whole)


def _scaler(trainer: Trainer) -> Any:  # noqa: ANN401  (torch's, of one device or another)
    """What keeps gradients in the range of float16; None in other precisions."""
    return getattr(trainer.precision_plugin, "scaler", None)


class Stopwatch:
    """Seconds by the clock and of the processor, which others that use it do not make longer.

    Arguments:
        before: What was spent before it starts.
    """

    def __init__(self, before: Mapping[str, float] | None = None) -> None:
        self._before = dict(before or {"seconds": 0.0, "processor_seconds": 0.0})
        self.start()

    def start(self) -> None:
        """From now on."""
        self._since = _clocks()

    @property
    def spent(self) -> dict[str, float]:
        """Seconds of either kind."""
        now = _clocks()
        return {name: self._before[name] + now[name] - self._since[name] for name in now}


def _clocks() -> dict[str, float]:
    return {"seconds": time.perf_counter(), "processor_seconds": time.process_time()}


def _learner(module: LightningModule) -> Learner:
    if not isinstance(module, Learner):
        raise TypeError(f"ExactResume resumes a Learner, got {type(module).__name__}.")
    return module

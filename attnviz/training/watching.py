"""What looks at a model while it is trained, and leaves the training as it is."""

from abc import ABC, abstractmethod
from typing import Any

from pytorch_lightning import Callback, LightningModule, Trainer

from attnviz.models import SequenceModel
from attnviz.training.resume import ExactResume

__all__ = ["Watcher"]


class Watcher(Callback, ABC):
    """A callback that is told after each iteration of a run, over all times it was resumed.

    It has to stand before the callback that resumes, which counts the iteration and writes the
    checkpoint: what was not watched yet is then trained again, and watched.
    """

    @abstractmethod
    def after_step(self, model: SequenceModel, step: int, resume: ExactResume) -> None:
        """Called when so many iterations are done.

        Arguments:
            model: As it is then.
            step: How many, from 1.
            resume: Holds the recipe and the task; it has not counted this iteration yet.
        """

    def on_train_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,  # noqa: ANN401  (Lightning's signature)
        batch: Any,  # noqa: ANN401
        batch_idx: int,
    ) -> None:
        """Counts the iteration."""
        resume = self.resumed(trainer)
        self.after_step(self.watched(pl_module), resume.step + 1, resume)

    def resumed(self, trainer: Trainer) -> ExactResume:
        """What counts the iterations of the whole run.

        Raises:
            TypeError: If the training has none.
        """
        for callback in trainer.callbacks:  # type: ignore[attr-defined]
            if isinstance(callback, ExactResume):
                return callback
        raise TypeError(
            f"{type(self).__name__} needs a training with ExactResume, and stands before it."
        )

    def watched(self, pl_module: LightningModule) -> SequenceModel:
        """The model that is trained.

        Raises:
            TypeError: If it is another kind of module.
        """
        model = pl_module.model
        if not isinstance(model, SequenceModel):
            raise TypeError(
                f"{type(self).__name__} watches a SequenceModel, got {type(model).__name__}."
            )
        return model

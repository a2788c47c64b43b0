"""Probes during training: what a model looks at, and how its kernel comes about."""

import json
from collections.abc import Iterable
from pathlib import Path

from pytorch_lightning import LightningModule, Trainer

from attnviz.models import SequenceModel
from attnviz.recording.assembly import provenance
from attnviz.recording.signals import recurrent_layers
from attnviz.store.probe_writer import ProbeWriter
from attnviz.training.probing import ProbeSet, probe_set, snapshot
from attnviz.training.recipe import recipe_to_json
from attnviz.training.resume import ExactResume
from attnviz.training.watching import Watcher

__all__ = ["Probe"]

_SAID = ("model", "cell", "versions")


class Probe(Watcher):
    """Records a few validation examples every so many iterations; the training stays as it is.

    There is a probe before the first iteration, after every n-th, and after the last. The end of
    an epoch is probed too, for a training may end there, and gives way to the next probe. After a
    resume the probes beyond the checkpoint are made again, and come out the same.

    Arguments:
        path: Of the store, which `attnviz.open_probes` reads.
        every: Iterations between two probes.
        sequences: How many are read.
        keep: Signals to keep, such as `("attention", "lag_kernel")`; those that the cells declare
            as their defaults and gate attention if not given.
        whole: Keep every timestep of every sequence, in place of means over both.
    """

    def __init__(
        self,
        path: Path,
        *,
        every: int = 100,
        sequences: int = 64,
        keep: Iterable[str] | None = None,
        whole: bool = False,
    ) -> None:
        if every < 1 or sequences < 1:
            raise ValueError(
                "A probe reads 1 sequence or more every 1 or more iterations, got "
                f"{sequences} sequences every {every}."
            )
        self.path, self.every, self.sequences, self.whole = path, every, sequences, whole
        self.keep = None if keep is None else sorted({keep} if isinstance(keep, str) else {*keep})
        self._probed: ProbeSet | None = None
        self._writer: ProbeWriter | None = None

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Takes back what was probed beyond the checkpoint, and probes a new model."""
        resume = self.resumed(trainer)
        if not trainer.is_global_zero:
            return
        model = self.watched(pl_module)
        recipe, task = resume.data.recipe, resume.data.task
        self._probed = probe_set(task, model, recipe, self.sequences)
        said = provenance(model, recurrent_layers(model), "")
        about = {
            **{name: said[name] for name in _SAID},
            "task": task.name,
            "split": "validation",
            "mode": "eval",
            "seed": str(recipe.seed),
            "recipe": json.dumps(json.loads(recipe_to_json(recipe)), sort_keys=True),
            "kept": json.dumps({"keep": self.keep, "whole": self.whole}),
            "sequences": str(len(self._probed.ids)),
        }
        self._writer = ProbeWriter(self.path, about, every=self.every, total=resume.steps)
        self._writer.forget_after(resume.step)
        if resume.step == 0:
            self._probe(model, 0, recipe.seed)

    def after_step(self, model: SequenceModel, step: int, resume: ExactResume) -> None:
        """Probes, if it is time."""
        if step % self.every == 0 or step == resume.steps:
            self._probe(model, step, resume.data.recipe.seed)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Probes what may turn out to be the end, before the checkpoint that says so."""
        resume = self.resumed(trainer)
        self._probe(self.watched(pl_module), resume.step, resume.data.recipe.seed)

    def _probe(self, model: SequenceModel, step: int, seed: int) -> None:
        if self._writer is None or self._probed is None:
            return  # another process writes
        if step in self._writer.steps():
            return
        found = snapshot(model, self._probed, keep=self.keep, whole=self.whole, seed=seed)
        self._writer.write(step, found)

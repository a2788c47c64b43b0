"""Lightning's trainer, as a run uses it."""

import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from lightning_fabric.utilities.warnings import PossibleUserWarning
from pytorch_lightning import Callback, Trainer

from attnviz.training.arithmetic import computing_products, flushing_denormals
from attnviz.training.batching import ResumableData
from attnviz.training.module import Learner
from attnviz.training.resume import ExactResume

__all__ = ["fit"]


def fit(
    learner: Learner,
    data: ResumableData[Any],
    resume: ExactResume,
    *,
    before: Sequence[Callback] = (),
) -> None:
    """Trains to the last epoch, and passes on what stops it.

    Arguments:
        learner: What is trained.
        data: What on.
        resume: Takes up the training where it was, and writes checkpoints.
        before: Callbacks that see each step before its checkpoint is written.
    """
    try:
        with (
            resume.stop.restoring(),
            _quiet_lightning(),
            flushing_denormals(),
            computing_products(data.recipe.matmul_precision),
        ):
            _trainer(data, [*before, resume]).fit(learner, data)
    except (SystemExit, KeyboardInterrupt):  # Lightning makes the first of the second
        if not resume.interrupted:
            raise
        resume.stop.obey()
    except Exception:  # a library may take the second signal for an error of its own
        if not resume.stop.granted:
            raise
        resume.stop.obey()


def _trainer(data: ResumableData[Any], callbacks: list[Callback]) -> Trainer:
    recipe, gpus = data.recipe, torch.cuda.device_count()
    if gpus and recipe.devices > gpus:
        raise ValueError(f"The recipe asks for {recipe.devices} devices, but there are {gpus}.")
    return Trainer(
        accelerator="gpu" if gpus else "cpu",
        devices=recipe.devices,
        # Some cells have parameters that receive no gradient under some options.
        strategy="ddp_find_unused_parameters_true" if recipe.devices > 1 else "auto",
        precision=recipe.precision,
        use_distributed_sampler=False,  # every process reads whole batches and keeps its rows
        max_epochs=recipe.epochs - data.epoch,
        gradient_clip_val=recipe.clip,
        reload_dataloaders_every_n_epochs=1,
        num_sanity_val_steps=0,
        callbacks=callbacks,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )


@contextmanager
def _quiet_lightning() -> Iterator[None]:
    """Without advice on workers and hardware, which does not apply to batches made in memory."""
    logger = logging.getLogger("pytorch_lightning")
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", PossibleUserWarning)
            warnings.filterwarnings("ignore", "`isinstance", FutureWarning)  # its own use of torch
            yield
    finally:
        logger.setLevel(level)

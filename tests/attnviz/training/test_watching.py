"""What looks at a model while it is trained is told of every iteration, after a resume too."""

import pytest
from pytorch_lightning import Trainer
from torch import nn

from attnviz.models import SequenceModel, build_model
from attnviz.training import train
from attnviz.training.module import learner_for
from attnviz.training.watching import Watcher
from tests.attnviz.training.runs import KilledError, after
from tests.attnviz.training.tiny import number_recipe, number_task


class Told(Watcher):
    def __init__(self):
        self.steps = []

    def after_step(self, model, step, resume):
        assert isinstance(model, SequenceModel)
        assert resume.step == step - 1
        self.steps.append(step)


def test_iterations_are_those_of_the_whole_run(tmp_path):
    first, second = Told(), Told()
    given = number_recipe("gru", epochs=2), number_task(), tmp_path
    with pytest.raises(KilledError):
        train(*given, checkpoint_every=3, progress=after(8), callbacks=[first])
    train(*given, checkpoint_every=3, callbacks=[second])
    assert first.steps == list(range(1, 9))
    assert second.steps == list(range(7, 11))  # from the checkpoint at 6 on


def test_it_needs_what_counts_the_iterations_and_a_model():
    told = Told()
    with pytest.raises(TypeError, match="Told needs a training with ExactResume, and stands befo"):
        told.resumed(Trainer(accelerator="cpu", logger=False, enable_checkpointing=False))
    learner = learner_for(build_model(number_recipe("gru").model), number_recipe("gru"))
    assert told.watched(learner) is learner.model
    learner.model = nn.Linear(1, 1)
    with pytest.raises(TypeError, match="Told watches a SequenceModel, got Linear"):
        told.watched(learner)

"""The sentences that ship with the package, written for it."""

import tomllib
from collections.abc import Sequence
from importlib.resources import files

import numpy as np

from attnviz.tasks.base import TextSplit
from attnviz.tasks.imdb import CLASSES

__all__ = ["load_demo_sentences"]


def load_demo_sentences(classes: Sequence[str] = CLASSES) -> TextSplit:
    """Short film reviews of our own, each negative or positive.

    Arguments:
        classes: Of the model that shall read them, which number the labels. Where they are others,
            no label is known: −1.
    """
    known = set(CLASSES) <= set(classes)
    numbers = [classes.index(name) if known else -1 for name in CLASSES]
    content = (files("attnviz") / "pretrained" / "sentences.toml").read_text(encoding="utf-8")
    sentences = tomllib.loads(content)["sentence"]
    return TextSplit(
        tuple(sentence["id"] for sentence in sentences),
        tuple(sentence["text"] for sentence in sentences),
        np.array([numbers[sentence["positive"]] for sentence in sentences], dtype=np.int64),
        tuple(sentence["id"] for sentence in sentences),
    )

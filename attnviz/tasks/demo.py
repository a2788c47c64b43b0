"""The sentences that ship with the package, written for it."""

import tomllib
from importlib.resources import files

import numpy as np

from attnviz.tasks.base import TextSplit

__all__ = ["load_demo_sentences"]


def load_demo_sentences() -> TextSplit:
    """Short film reviews of our own, labelled 0 (negative) or 1 (positive)."""
    content = (files("attnviz") / "pretrained" / "sentences.toml").read_text(encoding="utf-8")
    sentences = tomllib.loads(content)["sentence"]
    return TextSplit(
        tuple(sentence["id"] for sentence in sentences),
        tuple(sentence["text"] for sentence in sentences),
        np.array([int(sentence["positive"]) for sentence in sentences], dtype=np.int64),
        tuple(sentence["id"] for sentence in sentences),
    )

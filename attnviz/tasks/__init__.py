"""Data sets: arrays in, arrays out."""

from attnviz.tasks.base import TextSplit, TextTask
from attnviz.tasks.demo import load_demo_sentences
from attnviz.tasks.imdb import load_imdb
from attnviz.tasks.tables import load_table

__all__ = ["TextSplit", "TextTask", "load_demo_sentences", "load_imdb", "load_table"]

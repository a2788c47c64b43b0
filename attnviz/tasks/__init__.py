"""Tasks: where data is found, and how it becomes texts, labels and splits. No torch here."""

from attnviz.tasks.base import TextSplit, TextTask
from attnviz.tasks.demo import load_demo_sentences
from attnviz.tasks.imdb import load_imdb
from attnviz.tasks.sources import DamagedDataError, DataNotFoundError, locate
from attnviz.tasks.tables import load_table

__all__ = [
    "DamagedDataError",
    "DataNotFoundError",
    "TextSplit",
    "TextTask",
    "load_demo_sentences",
    "load_imdb",
    "load_table",
    "locate",
]

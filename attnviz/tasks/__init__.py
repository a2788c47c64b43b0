"""Tasks: where data is found, and how it becomes texts, numbers and splits. No torch here."""

from attnviz.tasks.adding import draw_adding, load_adding
from attnviz.tasks.base import GeneratedTask, NumberSplit, TextSplit, TextTask
from attnviz.tasks.demo import load_demo_sentences
from attnviz.tasks.imdb import load_imdb
from attnviz.tasks.sources import DamagedDataError, DataNotFoundError, locate
from attnviz.tasks.tables import load_table

__all__ = [
    "DamagedDataError",
    "DataNotFoundError",
    "GeneratedTask",
    "NumberSplit",
    "TextSplit",
    "TextTask",
    "draw_adding",
    "load_adding",
    "load_demo_sentences",
    "load_imdb",
    "load_table",
    "locate",
]

"""Tasks: where data is found, and how it becomes texts, numbers and splits. No torch here."""

from attnviz.tasks.adding import draw_adding, load_adding
from attnviz.tasks.base import GeneratedTask, NumberSplit, TextSplit, TextTask
from attnviz.tasks.demo import load_demo_sentences
from attnviz.tasks.drawing import pixel_permutation
from attnviz.tasks.file_sets import locate_files
from attnviz.tasks.har import load_har
from attnviz.tasks.imdb import load_imdb
from attnviz.tasks.labelled import LabelledSplit, LabelledTask
from attnviz.tasks.language import LanguageSplit, LanguageTask, streams
from attnviz.tasks.mnist import load_fashion_mnist, load_mnist
from attnviz.tasks.ptb import load_ptb
from attnviz.tasks.sources import DamagedDataError, DataNotFoundError, locate
from attnviz.tasks.tables import column_names, load_table, read_texts

__all__ = [
    "DamagedDataError",
    "DataNotFoundError",
    "GeneratedTask",
    "LabelledSplit",
    "LabelledTask",
    "LanguageSplit",
    "LanguageTask",
    "NumberSplit",
    "TextSplit",
    "TextTask",
    "column_names",
    "draw_adding",
    "load_adding",
    "load_demo_sentences",
    "load_fashion_mnist",
    "load_har",
    "load_imdb",
    "load_mnist",
    "load_ptb",
    "load_table",
    "locate",
    "locate_files",
    "pixel_permutation",
    "read_texts",
    "streams",
]

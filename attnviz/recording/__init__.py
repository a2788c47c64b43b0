"""From a running model to a trace: the border between torch and labelled arrays."""

from attnviz.recording.assembly import weights_digest
from attnviz.recording.numbers import Numbers, record_numbers
from attnviz.recording.recorder import Recording, record
from attnviz.recording.running import Running, record_running
from attnviz.recording.signals import available_signals
from attnviz.recording.texts import Texts, record_texts

__all__ = [
    "Numbers",
    "Recording",
    "Running",
    "Texts",
    "available_signals",
    "record",
    "record_numbers",
    "record_running",
    "record_texts",
    "weights_digest",
]

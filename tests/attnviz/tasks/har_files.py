"""UCI HAR in small: its published layout, made up, and made the one that is looked for."""

import hashlib
import io
import zipfile

import numpy as np

from attnviz.tasks.sources import SOURCES, Archive, Source

SIGNALS = [f"{kind}_{axis}" for kind in ("body_acc", "body_gyro", "total_acc") for axis in "xyz"]
SUBJECTS = {"train": [1, 1, 3, 3, 3, 5, 6, 6, 8, 8, 8], "test": [2, 2, 4, 9, 9]}
ROOT = "UCI HAR Dataset"


def small_har():
    """Files in the published layout: 11 + 5 windows of 5 + 3 subjects.

    The value of half h, window w, timestep t and signal s is 1000 h + 10 w + t / 128 + s / 1000.
    """
    files = {f"{ROOT}/README.txt": b"about", "__MACOSX/._UCI HAR Dataset": b"not ours"}
    for half, (name, subjects) in enumerate(SUBJECTS.items()):
        count = len(subjects)
        files[f"{ROOT}/{name}/y_{name}.txt"] = lines(np.arange(count)[:, None] % 6 + 1, "%d")
        files[f"{ROOT}/{name}/subject_{name}.txt"] = lines(np.array(subjects)[:, None], "%d")
        for number, signal in enumerate(SIGNALS):
            values = value(half, np.arange(count)[:, None], np.arange(128), number)
            file = f"{ROOT}/{name}/Inertial Signals/{signal}_{name}.txt"
            files[file] = lines(values, "%16.7e").replace(b"e+0", b"e+00").replace(b"e-0", b"e-00")
    return files


def value(half, window, time, signal):
    return 1000 * half + 10 * window + time / 128 + signal / 1000


def lines(array, style):
    stream = io.BytesIO()
    np.savetxt(stream, array, fmt=style, delimiter="", newline="\r\n")
    return stream.getvalue()


def zipped(files):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return stream.getvalue()


def publish(path, content, monkeypatch):
    """Writes an archive and makes it the published one."""
    path.write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()
    archives = (Archive("har.zip", digest, None), Archive("other.zip", "0" * 64, 3))
    source = Source("uci-har", "http://127.0.0.1:9/har.zip", digest, archives, ROOT, "cite us")
    monkeypatch.setitem(SOURCES, "uci-har", source)
    return path

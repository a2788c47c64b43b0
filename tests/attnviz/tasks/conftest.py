import hashlib
import io
import tarfile

import pytest

from attnviz.tasks import sources
from attnviz.tasks.published import FILE_SETS, FileSet


def small_imdb():
    """Files in the published layout: 12 + 10 training reviews of 8 films, 3 + 2 to test on."""
    films = {
        "train/pos": [
            "tt1",
            "tt1",
            "tt1",
            "tt2",
            "tt2",
            "tt3",
            "tt4",
            "tt5",
            "tt5",
            "tt6",
            "tt6",
            "tt6",
        ],
        "train/neg": ["tt1", "tt2", "tt3", "tt3", "tt4", "tt7", "tt7", "tt8", "tt8", "tt8"],
        "test/pos": ["tt20", "tt20", "tt21"],
        "test/neg": ["tt22", "tt23"],
    }
    files = {"aclImdb/README": b"about", "aclImdb/train/unsup/0_0.txt": b"no label"}
    for folder, names in films.items():
        half, side = folder.split("/")
        lines = [f"http://www.imdb.com/title/{name}/usercomments\n" for name in names]
        files[f"aclImdb/{half}/urls_{side}.txt"] = "".join(lines).encode()
        for number in reversed(range(len(names))):  # the archive keeps no order
            rating = 7 + number % 4 if side == "pos" else 1 + number % 4
            text = f"A {side} café,<br />{half} {number}"
            files[f"aclImdb/{folder}/{number}_{rating}.txt"] = text.encode()
    files["aclImdb/train/pos/4_7.txt"] = files["aclImdb/test/neg/1_2.txt"]
    # tt5 and tt6 share a text, tt6 and tt7 another: the three belong together.
    files["aclImdb/train/pos/9_8.txt"] = files["aclImdb/train/pos/8_7.txt"]
    files["aclImdb/train/neg/5_2.txt"] = files["aclImdb/train/pos/10_9.txt"]
    return files


def write_archive(path, files):
    with tarfile.open(path, "w:gz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


def write_folder(path, files):
    for name, content in files.items():
        file = path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    return path / "aclImdb"


@pytest.fixture
def files():
    return small_imdb()


@pytest.fixture
def nowhere(tmp_path, monkeypatch):
    """A machine with no data: an empty cache and no variable. Gives the cache."""
    cache = tmp_path / "cache"
    monkeypatch.setattr(sources, "cache_folder", lambda: cache)
    monkeypatch.delenv(sources.VARIABLE, raising=False)
    return cache


@pytest.fixture
def publish(tmp_path, monkeypatch):
    """Packs files as an archive and makes it the published one."""

    def pack(files, url="http://127.0.0.1:9/aclImdb_v1.tar.gz"):
        folder = tmp_path / "published"
        folder.mkdir(exist_ok=True)
        path = write_archive(folder / "aclImdb_v1.tar.gz", files)
        adopt(path, url)
        return path

    def adopt(path, url="http://127.0.0.1:9/aclImdb_v1.tar.gz"):
        content = path.read_bytes()
        md5 = hashlib.md5(content).hexdigest()
        monkeypatch.setitem(
            sources.SOURCES,
            "imdb",
            sources.Source(
                name="imdb",
                url=url,
                sha256=hashlib.sha256(content).hexdigest(),
                archives=(
                    sources.Archive("aclImdb_v1.tar.gz", md5, len(content)),
                    sources.Archive("aclImdb_labelled.tar.gz", "0" * 32, 5),
                ),
                folder="aclImdb",
                terms="cite us",
            ),
        )

    pack.adopt = adopt
    return pack


@pytest.fixture
def unpack(tmp_path):
    return lambda files: write_folder(tmp_path / "unpacked", files)


@pytest.fixture
def publish_files(tmp_path, monkeypatch):
    """Writes files and makes them the published ones of a data set; gives their folder."""

    def write(name, contents, url="http://127.0.0.1:9/"):
        folder = tmp_path / "published" / name
        folder.mkdir(parents=True, exist_ok=True)
        for file, content in contents.items():
            (folder / file).write_bytes(content)
        files = tuple(
            sources.Archive(file, hashlib.md5(content).hexdigest(), len(content))
            for file, content in contents.items()
        )
        monkeypatch.setitem(FILE_SETS, name, FileSet(name, url, files, "cite us"))
        return folder

    return write

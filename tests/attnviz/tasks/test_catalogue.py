import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from functools import partial

import pytest

from attnviz.tasks import DamagedDataError, catalogue, ptb, sources
from attnviz.tasks.catalogue import DATASETS, place_of
from attnviz.tasks.catalogue import verify as verify_data
from attnviz.tasks.published import FILE_SETS
from tests.attnviz.cli.shell import called
from tests.attnviz.tasks.serving import served


@pytest.fixture
def small(publish, files, nowhere, monkeypatch):
    """A small published archive, that nobody serves and that is nowhere yet."""
    made = replace(DATASETS["imdb"], published={"train": 22, "test": 5})
    monkeypatch.setitem(DATASETS, "imdb", made)
    return publish(files)


def test_what_is_in_the_catalogue_is_published_or_generated():
    assert set(DATASETS) - {"adding"} == set(sources.SOURCES) | set(FILE_SETS)
    assert [name for name, one in DATASETS.items() if one.source is None] == ["adding"]
    assert all(one.terms.endswith(".") for one in DATASETS.values())


def test_a_whole_data_set_is_counted(small):
    found = verify_data("imdb", small)
    assert found.path == small
    assert found.digests == {small.name: f"md5 {DATASETS['imdb'].source.archives[0].digest}"}
    counted = sum(sum(by_class.values()) for by_class in found.counts.values())
    assert counted + found.left_out == 27 and found.left_out == 1
    assert found.counts["test"] == {"negative": 2, "positive": 3}


def test_missing_sequences_and_another_archive_are_found(small, publish, files, monkeypatch):
    made = replace(DATASETS["imdb"], published={"train": 23, "test": 5})
    monkeypatch.setitem(DATASETS, "imdb", made)
    with pytest.raises(DamagedDataError, match=r"'train': 22.*'train': 23"):
        verify_data("imdb", small)
    small.write_bytes(small.read_bytes()[:-4])
    with pytest.raises(DamagedDataError, match="md5"):
        verify_data("imdb", small)


def test_where_it_lies(small, nowhere, tmp_path):
    assert place_of("imdb") is None and place_of("adding") is None
    assert place_of("imdb", small.parent) == small
    with pytest.raises(KeyError, match="no data set 'cifar'; there are imdb, uci-har"):
        catalogue.dataset("cifar")


def test_the_list_says_what_is_here(small, monkeypatch, capsys):
    status, said, _ = called(monkeypatch, capsys, "data", "list", "--json")
    found = {one["name"]: one for one in json.loads(said)}
    assert status == 0 and found["imdb"]["path"] is None and found["adding"]["generated"]
    assert found["imdb"]["terms"] == "cite us"
    _, said, _ = called(monkeypatch, capsys, "data", "list", "--data", small.parent)
    row = next(line for line in said.splitlines() if line.startswith("imdb"))
    assert "22 train, 5 test" in row and "yes" in row
    assert called(monkeypatch, capsys, "data", "list", "-q")[1].split() == list(DATASETS)


def test_terms_and_place(small, monkeypatch, capsys):
    _, said, _ = called(monkeypatch, capsys, "data", "terms", "imdb")
    assert said.splitlines()[0] == "cite us" and "aclImdb_v1.tar.gz" in said
    status, said, _ = called(monkeypatch, capsys, "data", "where", "imdb", "--data", small)
    assert (status, said.strip()) == (0, str(small))
    status, said, message = called(monkeypatch, capsys, "data", "where", "imdb")
    assert status == 1 and not said and "It is not on this machine" in message
    status, _, message = called(monkeypatch, capsys, "data", "where", "adding")
    assert status == 1 and "generated when it is needed" in message


def test_it_is_downloaded_once_and_the_terms_are_told(small, publish, nowhere, monkeypatch, capsys):
    pytest.importorskip("pooch")
    name = "aclImdb_v1.tar.gz"
    with served({name: small.read_bytes()}) as (address, _):
        publish.adopt(small, f"{address}{name}")
        status, said, message = called(monkeypatch, capsys, "data", "download", "imdb")
    place = nowhere / "imdb" / "aclImdb_v1.tar.gz"
    assert (status, said.strip()) == (0, str(place)) and "Terms: cite us" in message
    status, said, message = called(monkeypatch, capsys, "data", "download", "imdb")
    assert (status, said.strip()) == (0, str(place)) and "here already" in message
    status, said, _ = called(monkeypatch, capsys, "data", "verify", "imdb", "--json")
    assert status == 0 and json.loads(said)["splits"]["test"] == {"negative": 2, "positive": 3}
    _, said, _ = called(monkeypatch, capsys, "data", "verify", "imdb")
    assert "is the published one" in said and "1 training sequences are left out" in said


STOPPED = """
import os, signal, sys
from pathlib import Path
import pooch
from attnviz.tasks import sources
cache = Path(sys.argv.pop())
sources.cache_folder = lambda: cache

class Slow:
    def __init__(self, **options): pass
    def __call__(self, url, place, pooch):
        Path(place).write_bytes(b"half")
        os.kill(os.getpid(), signal.SIGINT)

pooch.HTTPDownloader = Slow
from attnviz.cli import main
main()
"""


def test_a_download_that_is_stopped_leaves_nothing(tmp_path):
    pytest.importorskip("pooch")
    cache = tmp_path / "cache"
    command = [sys.executable, "-c", STOPPED, *shlex.split("data download imdb"), str(cache)]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env=_without_variable()
    )
    assert done.returncode == 128 + signal.SIGINT, done.stderr
    assert "Stopped. Nothing was written." in done.stderr and "Traceback" not in done.stderr
    assert not [path for path in cache.rglob("*") if path.is_file()]


def _without_variable():
    return {name: value for name, value in os.environ.items() if name != sources.VARIABLE}


WORDS = {
    "ptb.train.txt": b" the cat <unk> \n the N \n\n the cat zoe abe \n",
    "ptb.valid.txt": b" abe the \n",
    "ptb.test.txt": b" N \n N <unk> \n",
}


def test_a_data_set_of_files_is_fetched_placed_and_counted_as_well(
    publish_files, nowhere, monkeypatch, capsys
):
    pytest.importorskip("pooch")
    monkeypatch.setattr(ptb, "VOCABULARY", 7)
    known = replace(DATASETS["ptb"], published={"train": 13, "validation": 3, "test": 5})
    monkeypatch.setitem(DATASETS, "ptb", known)
    typed = partial(called, monkeypatch, capsys, "data")
    with served(WORDS) as (address, asked):
        publish_files("ptb", WORDS, address)
        assert typed("where", "ptb")[0] == 1
        status, said, message = typed("download", "ptb", "--json")
    place = str(nowhere / "ptb")
    assert status == 0 and "Terms: cite us" in message and len(asked) == 3
    assert json.loads(said) == {"name": "ptb", "path": place, "downloaded": True}
    assert json.loads(typed("download", "ptb", "--json", "-q")[1])["downloaded"] is False
    assert typed("where", "ptb")[1].strip() == place
    status, said, _ = typed("verify", "ptb", "--json")
    found = json.loads(said)
    assert found["splits"] == {n: {"words": c} for n, c in known.published.items()}
    assert list(found["digests"]) == list(WORDS)
    assert "the digests of its 3 files are the published ones" in typed("verify", "ptb")[1]
    listed = {one["name"]: one for one in json.loads(typed("list", "--json")[1])}
    assert listed["ptb"]["words"] == dict(known.published) and listed["ptb"]["path"] == place
    assert [file["name"] for file in listed["ptb"]["files"]] == list(WORDS)
    assert listed["mnist"]["path"] is None and len(listed["mnist"]["files"]) == 4

    assert [one["name"] for one in json.loads(typed("verify", "--json")[1])] == ["ptb"]
    assert "the digests of its 3 files are the published ones" in typed("verify")[1]

    wrong = replace(known, published={"train": 14, "validation": 3, "test": 5})
    monkeypatch.setitem(DATASETS, "ptb", wrong)
    status, _, message = typed("verify", "ptb")
    assert status == 1 and "words" in message and "were published" in message
    status, said, message = typed("verify", "--json")
    assert status == 1 and json.loads(said) == []
    assert "were published" in message and "1 of 1 data sets are damaged: ptb." in message


def test_all_that_are_here_are_verified_and_a_damaged_one_hinders_no_other(
    small, publish_files, nowhere, monkeypatch, capsys
):
    typed = partial(called, monkeypatch, capsys, "data")
    status, _, message = typed("verify")
    assert status == 1 and "No data set is here to be verified" in message

    (nowhere / "ptb").mkdir(parents=True)
    for name, text in WORDS.items():
        (nowhere / "ptb" / name).write_bytes(text)
    publish_files("ptb", {name: text + b"more" for name, text in WORDS.items()})
    (nowhere / "imdb").mkdir()
    shutil.copy(small, nowhere / "imdb" / "aclImdb_v1.tar.gz")

    status, said, message = typed("verify", "--json")
    assert status == 1 and [one["name"] for one in json.loads(said)] == ["imdb"]
    assert "1 of 2 data sets are damaged: ptb." in message

import sys

import pytest

from attnviz.tasks import DamagedDataError, DataNotFoundError, locate_files
from tests.attnviz.tasks.serving import served

CONTENTS = {"ptb.train.txt": b" one two \n", "ptb.valid.txt": b" two \n", "ptb.test.txt": b" one\n"}


@pytest.fixture
def folder(publish_files, nowhere):
    return publish_files("ptb", CONTENTS)


def copied(folder, place, names=tuple(CONTENTS)):
    place.mkdir(parents=True)
    for name in names:
        (place / name).write_bytes((folder / name).read_bytes())
    return place


@pytest.mark.parametrize("inside", ["", "ptb"])
def test_files_are_found_in_the_folder_named_or_in_their_own(folder, tmp_path, inside):
    place = copied(folder, tmp_path / "data" / inside)

    assert locate_files("ptb", str(tmp_path / "data")) == {name: place / name for name in CONTENTS}


def test_what_is_named_comes_before_the_variable_and_that_before_the_cache(
    folder, nowhere, tmp_path, monkeypatch
):
    def where(data=None):
        return {path.parent for path in locate_files("ptb", data, download=False).values()}

    cached = copied(folder, nowhere / "ptb")
    set_ = copied(folder, tmp_path / "variable")
    named = copied(folder, tmp_path / "named")
    (tmp_path / "empty").mkdir()

    assert where() == {cached}
    monkeypatch.setenv("ATTNVIZ_DATA", str(tmp_path / "empty"))
    assert where() == {cached}
    monkeypatch.setenv("ATTNVIZ_DATA", str(set_))
    assert where() == {set_}
    assert where(named) == {named}


@pytest.mark.parametrize("name", CONTENTS)
def test_a_file_that_is_not_the_published_one_is_refused(folder, name):
    (folder / name).write_bytes(CONTENTS[name][:-1])

    with pytest.raises(
        DamagedDataError, match=rf"{name} is not the published file of ptb: its md5 .*9/{name}$"
    ):
        locate_files("ptb", folder)


def test_a_named_folder_says_which_files_it_lacks(folder, nowhere, tmp_path):
    copied(folder, nowhere / "ptb")
    place = copied(folder, tmp_path / "some" / "ptb", ["ptb.valid.txt"])

    with pytest.raises(
        DataNotFoundError, match=rf"{place} lacks ptb.train.txt, ptb.test.txt\. Get"
    ):
        locate_files("ptb", tmp_path / "some")


def test_a_place_that_is_not_there_is_named(folder, tmp_path):
    with pytest.raises(DataNotFoundError, match=rf"There is nothing at {tmp_path / 'tpyo'}\."):
        locate_files("ptb", tmp_path / "tpyo")


def test_the_message_says_where_to_get_what_and_where_to_put_it(nowhere):
    with pytest.raises(DataNotFoundError) as caught:
        locate_files("mnist", download=False)

    for part in (
        "https://ossci-datasets.s3.amazonaws.com/mnist/t10k-labels-idx1-ubyte.gz",
        "9,912,422 bytes, md5 f68b3c2dcbeaaa9fbdd348bbdeb94873",
        str(nowhere / "mnist"),
        "--data",
        "ATTNVIZ_DATA",
    ):
        assert part in str(caught.value)


def test_there_is_no_other_data_set():
    with pytest.raises(KeyError, match=r"no data set 'mnits'; there are \['fashion-mnist', 'mni"):
        locate_files("mnits")


def test_files_are_fetched_once_and_the_terms_are_told_once_before(publish_files, nowhere):
    told = []

    with served(CONTENTS) as (url, asked):
        publish_files("ptb", CONTENTS, url)
        paths = locate_files("ptb", announce=told.append)

    assert paths == {name: nowhere / "ptb" / name for name in CONTENTS}
    assert {name: path.read_bytes() for name, path in paths.items()} == CONTENTS
    assert asked == [f"/{name}" for name in CONTENTS]
    assert len(told) == 1
    assert "cite us" in told[0]
    assert f"3 files from {url} ({sum(map(len, CONTENTS.values()))} bytes)" in told[0]
    assert locate_files("ptb", announce=told.append) == paths  # nobody serves them any more
    assert len(told) == 1


def test_only_what_is_missing_is_fetched(publish_files, nowhere):
    with served(CONTENTS) as (url, asked):
        copied(publish_files("ptb", CONTENTS, url), nowhere / "ptb", ["ptb.train.txt"])
        locate_files("ptb", announce=lambda _: None)

    assert asked == ["/ptb.valid.txt", "/ptb.test.txt"]


def test_another_file_at_the_address_is_not_kept(publish_files, nowhere):
    with served({**CONTENTS, "ptb.test.txt": b"<html>404</html>"}) as (url, _):
        publish_files("ptb", CONTENTS, url)
        with pytest.raises(DataNotFoundError, match=r"failed \(ValueError: .*hash.*\)\. Get http"):
            locate_files("ptb", announce=lambda _: None)

    kept = sorted(path.name for path in (nowhere / "ptb").iterdir())
    assert kept == ["ptb.train.txt", "ptb.valid.txt"]


def test_no_network_is_one_clear_message(folder):
    with pytest.raises(DataNotFoundError, match=r"failed \(ConnectionError: .* Get http://127"):
        locate_files("ptb", announce=lambda _: None)


def test_without_pooch_the_extra_is_named(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "pooch", None)

    with pytest.raises(DataNotFoundError, match=r"pip install 'attnviz\[data\]'"):
        locate_files("ptb")

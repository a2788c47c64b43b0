import hashlib
import sys

import pytest

from attnviz.tasks import DamagedDataError, DataNotFoundError, load_imdb, locate
from attnviz.tasks.sources import SOURCES, Archive, Source, verified
from tests.attnviz.tasks.serving import served

NAME = "aclImdb_v1.tar.gz"


@pytest.fixture
def archive(publish, files):
    return publish(files)


def place(archive, folder):
    folder.mkdir(parents=True)
    return archive.rename(folder / archive.name)


@pytest.mark.parametrize("inside", ["", "imdb"])
def test_an_archive_is_found_in_the_folder_named_or_in_its_own(archive, nowhere, tmp_path, inside):
    moved = place(archive, tmp_path / "data" / inside)

    assert locate("imdb", tmp_path / "data") == moved
    assert locate("imdb", str(moved)) == moved


@pytest.mark.parametrize("inside", ["", "imdb"])
def test_an_unpacked_folder_is_found(unpack, files, nowhere, tmp_path, inside):
    unpacked = unpack(files)
    folder = tmp_path / "data" / inside
    folder.mkdir(parents=True)
    moved = unpacked.rename(folder / "aclImdb")

    assert locate("imdb", tmp_path / "data") == moved
    assert locate("imdb", moved) == moved


def test_what_is_named_comes_before_the_variable_and_that_before_the_cache(
    archive, nowhere, tmp_path, monkeypatch
):
    cached = place(archive, nowhere / "imdb")
    content = cached.read_bytes()
    others = {}
    for name in ("named", "variable"):
        (tmp_path / name).mkdir()
        others[name] = tmp_path / name / "aclImdb_v1.tar.gz"
        others[name].write_bytes(content)
    (tmp_path / "empty").mkdir()

    assert locate("imdb") == cached
    monkeypatch.setenv("ATTNVIZ_DATA", str(tmp_path / "empty"))
    assert locate("imdb") == cached
    monkeypatch.setenv("ATTNVIZ_DATA", str(tmp_path / "variable"))
    assert locate("imdb") == others["variable"]
    assert locate("imdb", tmp_path / "named") == others["named"]


def test_an_archive_that_is_not_the_published_one_is_refused(archive, nowhere):
    with archive.open("ab") as file:
        file.write(b"x")
    digest = hashlib.md5(archive.read_bytes()).hexdigest()

    with pytest.raises(DamagedDataError, match=rf"md5 is {digest} .* expected .* or 0{{32}} \(acl"):
        locate("imdb", archive)


@pytest.mark.parametrize("variable", [True, False])
def test_a_place_that_is_not_there_is_named(nowhere, tmp_path, monkeypatch, variable):
    wrong = tmp_path / "tpyo"
    if variable:
        monkeypatch.setenv("ATTNVIZ_DATA", str(wrong))

    with pytest.raises(DataNotFoundError, match=rf"There is nothing at {wrong}\."):
        locate("imdb", None if variable else wrong)


def test_a_named_folder_without_the_data_is_not_made_up_for_elsewhere(archive, nowhere, tmp_path):
    place(archive, nowhere / "imdb")
    (tmp_path / "empty").mkdir()

    with pytest.raises(DataNotFoundError, match=r"It is not in .*empty") as caught:
        locate("imdb", tmp_path / "empty")

    assert f"save it as {tmp_path / 'empty' / 'imdb' / 'aclImdb_v1.tar.gz'}" in str(caught.value)


def test_the_message_says_where_to_get_what_and_where_to_put_it(nowhere):
    with pytest.raises(DataNotFoundError) as caught:
        locate("imdb", download=False)

    for part in (
        "https://ai.stanford.edu/~amaas/data/sentiment/aclImdb_v1.tar.gz",
        "84,125,825 bytes",
        "c40f74a18d3b61f90feba1e17730e0d38e8b97c05fde7008942e91923d1658fe",
        str(nowhere / "imdb" / "aclImdb_v1.tar.gz"),
        "--data",
        "ATTNVIZ_DATA",
    ):
        assert part in str(caught.value)
    assert isinstance(caught.value, FileNotFoundError)


def test_a_size_that_the_publishers_do_not_say_is_left_out(nowhere):
    with pytest.raises(DataNotFoundError) as caught:
        locate("uci-har", download=False)

    digest = "c00b803081a5c797cd5e4b83700a9810b38d53d9d84e01917e090e1fdbc81031"
    assert f"using+smartphones.zip (sha256 {digest}) and save" in str(caught.value)


def test_there_is_no_other_data_set():
    with pytest.raises(KeyError, match=r"no data set 'imbd'; there are \['imdb', 'uci-har'\]"):
        locate("imbd")


def test_the_address_gives_the_first_archive():
    for source in SOURCES.values():
        assert source.url.endswith("/" + source.archives[0].file)


def test_verified_tells_which_archive(tmp_path):
    path = tmp_path / "any-name"
    path.write_bytes(b"second")
    archives = (Archive("a", "0" * 32, 1), Archive("b", hashlib.md5(b"second").hexdigest(), 6))

    source = Source("x", "http://x/a", "", archives, "x", "")

    assert verified(path, source).file == "b"


def test_longer_digests_are_sha256(tmp_path):
    path = tmp_path / "any-name"
    path.write_bytes(b"second")
    digest = hashlib.sha256(b"second").hexdigest()
    source = Source("x", "http://x/a", "", (Archive("a", digest, None),), "x", "")

    assert verified(path, source).file == "a"
    path.write_bytes(b"third")
    with pytest.raises(DamagedDataError, match=rf"its sha256 is .*, expected {digest} \(a\)"):
        verified(path, source)


def test_it_is_fetched_once_and_the_terms_are_told_before(publish, files, nowhere):
    archive = publish(files)
    told = []

    with served({NAME: archive.read_bytes()}) as (address, _):
        url = address + NAME
        publish.adopt(archive, url)
        path = locate("imdb", announce=told.append)

    assert path == nowhere / "imdb" / "aclImdb_v1.tar.gz"
    assert path.read_bytes() == archive.read_bytes()
    assert [file.name for file in path.parent.iterdir()] == ["aclImdb_v1.tar.gz"]
    assert len(told) == 1
    assert url in told[0]
    assert "cite us" in told[0]
    assert locate("imdb", announce=told.append) == path  # nobody serves it any more
    assert len(told) == 1
    assert len(load_imdb().splits["test"]) == 5


def test_another_file_at_the_address_is_not_kept(publish, files, nowhere):
    archive = publish(files)

    with served({NAME: archive.read_bytes()[:-100]}) as (address, _):
        publish.adopt(archive, address + NAME)
        with pytest.raises(DataNotFoundError, match=r"failed \(ValueError: .*hash.*\)\. Get http"):
            locate("imdb", announce=lambda _: None)

    assert list((nowhere / "imdb").iterdir()) == []


def test_no_network_is_one_clear_message(publish, files, nowhere):
    publish(files, "http://127.0.0.1:9/aclImdb_v1.tar.gz")

    with pytest.raises(
        DataNotFoundError, match=r"failed \(ConnectionError: .* Get http://127"
    ) as e:
        locate("imdb", announce=lambda _: None)

    assert "ATTNVIZ_DATA" in str(e.value)


def test_without_pooch_the_extra_is_named(archive, nowhere, monkeypatch):
    monkeypatch.setitem(sys.modules, "pooch", None)

    with pytest.raises(DataNotFoundError, match=r"pip install 'attnviz\[data\]'"):
        locate("imdb")

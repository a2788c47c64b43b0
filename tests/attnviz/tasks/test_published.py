import string

import pytest

from attnviz.tasks.published import FILE_SETS, SOURCES, Archive

ARCHIVES = [archive for source in SOURCES.values() for archive in source.archives]
FILES = [file for files in FILE_SETS.values() for file in files.files]


@pytest.mark.parametrize("archive", [*ARCHIVES, *FILES], ids=lambda archive: archive.file)
def test_a_digest_is_a_digest(archive):
    assert len(archive.digest) == {"md5": 32, "sha256": 64}[archive.algorithm]
    assert set(archive.digest) <= set(string.hexdigits.lower())


def test_no_two_files_are_taken_for_one_another():
    digests = [archive.digest for archive in [*ARCHIVES, *FILES]]

    assert len(set(digests)) == len(digests)


def test_a_source_has_digests_of_one_kind_and_the_first_is_that_of_its_address():
    for source in SOURCES.values():
        assert len({archive.algorithm for archive in source.archives}) == 1
        if source.archives[0].algorithm == "sha256":
            assert source.archives[0].digest == source.sha256


def test_names_are_those_of_their_keys_and_addresses_end_where_a_file_follows():
    assert all(name == each.name for name, each in [*SOURCES.items(), *FILE_SETS.items()])
    assert all(files.url.endswith("/") for files in FILE_SETS.values())
    assert not set(SOURCES) & set(FILE_SETS)


def test_sizes_and_terms_are_those_that_were_published():
    assert {name: files.size for name, files in FILE_SETS.items()} == {
        "mnist": 11_594_722,
        "fashion-mnist": 30_878_645,
        "ptb": 5_951_345,
    }
    asked = {
        "imdb": "no formal licence",
        "mnist": "CC BY-SA 3.0",
        "fashion-mnist": "MIT",
        "ptb": "research only",
        "uci-har": "forbids commercial use",
    }
    for name, words in asked.items():
        assert words in {**SOURCES, **FILE_SETS}[name].terms


def test_a_size_that_is_not_known_is_not_made_up():
    assert Archive("a", "0" * 64, None).described == f"sha256 {'0' * 64}"
    assert Archive("a", "1" * 32, 1234).described == f"1,234 bytes, md5 {'1' * 32}"

import builtins
import gzip

import pytest

from attnviz.tasks import column_names, load_table, read_texts


def write(path, rows, separator=","):
    lines = [separator.join(row) for row in rows]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def reviews(count=40, header=("review", "mood", "who", "key")):
    return [header] + [
        (f"text {n} <b>& more</b>", "good" if n % 4 else "awful", f"w{n // 2}", f"k{n}")
        for n in range(count)
    ]


@pytest.fixture
def path(tmp_path):
    return write(tmp_path / "mine.v2.csv", reviews())


def rows_of(split):
    return [int(text.split()[1]) for text in split.texts]


def test_rows_are_split_by_class(path):
    task = load_table(path, text="review", label="mood", test_share=0.2)

    assert (task.name, task.classes) == ("mine", ("awful", "good"))
    assert {name: len(split) for name, split in task.splits.items()} == {
        "train": 28,
        "validation": 4,
        "test": 8,
    }
    assert [int((split.labels == 0).sum()) for split in task.splits.values()] == [7, 1, 2]
    for split in task.splits.values():
        assert rows_of(split) == sorted(rows_of(split))
        assert split.ids == tuple(f"row {n + 1}" for n in rows_of(split))
        assert split.labels.tolist() == [int(n % 4 != 0) for n in rows_of(split)]
        assert all(text.endswith("<b>& more</b>") for text in split.texts)
    assert len(task.provenance["md5"]) == 32


def test_ids_and_groups_come_from_their_columns(path):
    task = load_table(path, text="review", label="mood", id="key", group="who", test_share=0.2)

    groups = [set(split.groups) for split in task.splits.values()]
    assert not groups[0] & groups[1] | groups[0] & groups[2] | groups[1] & groups[2]
    for split in task.splits.values():
        assert split.ids == tuple(f"k{n}" for n in rows_of(split))
        assert split.groups == tuple(f"w{n // 2}" for n in rows_of(split))


@pytest.mark.parametrize("seed", range(5))
def test_equal_texts_stand_in_one_split(tmp_path, seed):
    rows = [("t", "l"), *((f"text {n % 15}", str(n % 15 % 3)) for n in range(60))]

    task = load_table(
        write(tmp_path / "t.csv", rows), text="t", label="l", seed=seed, validation_share=0.2
    )

    texts = [set(split.texts) for split in task.splits.values()]
    assert sum(map(len, texts)) == 15
    assert task.provenance["repeated_texts"] == 45


def test_the_draw_depends_on_the_seed(path):
    drawn = [
        load_table(path, text="review", label="mood", seed=s).splits["test"].ids for s in (1, 1, 2)
    ]

    assert drawn[0] == drawn[1]
    assert drawn[0] != drawn[2]


def test_other_formats_give_the_same(path, tmp_path):
    tabs = write(tmp_path / "mine.tsv", reviews(), separator="\t")
    packed = tmp_path / "mine.csv.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    marked = tmp_path / "marked.csv"
    marked.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())

    expected = load_table(path, text="review", label="mood").splits["test"].texts
    for other in (tabs, packed, marked):
        assert load_table(other, text="review", label="mood").splits["test"].texts == expected


def test_numbers_are_classes_in_their_order_and_na_is_a_word(tmp_path):
    rows = [("t", "l"), *((f"NA {n}" if n else "NA", str(8 + n % 4)) for n in range(40))]

    task = load_table(write(tmp_path / "t.csv", rows), text="t", label="l")

    assert task.classes == ("8", "9", "10", "11")
    assert "NA" in [text for split in task.splits.values() for text in split.texts]


def test_a_text_may_hold_separators_and_lines(tmp_path):
    rows = reviews()
    rows[3] = ('"one, ""two""\nthree"', *rows[3][1:])

    task = load_table(write(tmp_path / "t.csv", rows), text="review", label="mood")

    texts = [text for split in task.splits.values() for text in split.texts]
    assert 'one, "two"\nthree' in texts


def load_changed(tmp_path, row, column, value, **arguments):
    rows = [list(cells) for cells in reviews()]
    rows[row][column] = value
    path = write(tmp_path / "t.csv", rows)
    return load_table(path, text="review", label="mood", **arguments)


@pytest.mark.parametrize(
    ("row", "column", "value", "message"),
    [
        (7, 0, "  ", "has nothing in column 'review' in row 7. Rows"),
        (7, 0, "<br />", "has no word in column 'review' in row 7. Rows"),
        (9, 1, "", "has nothing in column 'mood' in row 9. Rows"),
        (11, 2, "", "has nothing in column 'who' in row 11. Rows"),
        (4, 3, "k20", "has the id of another row in column 'key' in rows 4, 21. Rows"),
        (
            0,
            0,
            "revue",
            r"a column 'review' for text, but .* has \['revue', 'mood', 'who', 'key'\]",
        ),
        (0, 3, "keys", "a column 'key' for id"),
    ],
)
def test_rows_that_cannot_be_used_are_named(tmp_path, row, column, value, message):
    with pytest.raises(ValueError, match=message):
        load_changed(tmp_path, row, column, value, id="key", group="who")


def test_a_row_that_ends_early_lacks_its_label(tmp_path):
    rows = reviews()
    rows[5] = ("just a text",)

    with pytest.raises(ValueError, match="nothing in column 'mood' in row 5"):
        load_table(write(tmp_path / "t.csv", rows), text="review", label="mood")


def test_many_rows_are_not_all_listed(tmp_path):
    rows = [(*cells[:1], "", *cells[2:]) if n else cells for n, cells in enumerate(reviews(9))]

    with pytest.raises(ValueError, match="in rows 1, 2, 3, 4, 5 and 4 more"):
        load_table(write(tmp_path / "t.csv", rows), text="review", label="mood")


def test_one_class_is_not_enough(tmp_path):
    rows = [(*cells[:1], "same") if n else cells[:2] for n, cells in enumerate(reviews(9))]

    with pytest.raises(ValueError, match=r"two classes in column 'mood'.* its 9 rows has 'same'"):
        load_table(write(tmp_path / "t.csv", rows), text="review", label="mood")


def test_labels_that_differ_only_in_blanks_are_named(tmp_path):
    with pytest.raises(ValueError, match=r"column 'mood' .* blanks around them: 'good', 'good '\."):
        load_changed(tmp_path, 3, 1, "good ")
    with pytest.raises(ValueError, match=r"them: '\\tgood', 'good'\."):
        load_changed(tmp_path, 3, 1, "\tgood")
    rows = [(text, f" {mood}") for text, mood, *_ in reviews()]
    task = load_table(write(tmp_path / "t.csv", rows), text="review", label=" mood")
    assert task.classes == (" awful", " good")  # all alike, so they are what they are


@pytest.mark.parametrize("name", ["t.csv", "t.tsv"])
def test_a_column_that_is_there_twice_is_refused_where_it_is_asked_for(tmp_path, name):
    rows = [(*cells, cells[1]) for cells in reviews(header=("review", "mood", "who", ""))]
    path = write(tmp_path / name, rows, separator="," if name == "t.csv" else "\t")
    for read in (load_table, read_texts):
        with pytest.raises(ValueError, match=r"2 columns 'mood', so that the one for label is not"):
            read(path, text="review", label="mood")
    assert len(read_texts(path, text="review").texts) == 40
    assert column_names(path) == ["review", "mood", "who", "Unnamed: 3", "mood"]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("t.csv", b"", "not a table that can be read"),
        ("t.csv", b"review,mood\n", "header but no rows"),
        ("t.csv", b"review,mood\na,b\nc,d,e\n", "not a table that can be read.*line 3"),
        ("t.csv", b"review,mood\na,b,c\nd,e,f\n", "more cells in its rows than its header"),
        ("t.csv", b"review,mood\n\xff\xfe,b\n", "not a table that can be read"),
        ("t.csv.gz", b"review,mood\n", "not a table that can be read"),
        ("t.xlsx", b"PK", "read from .csv, .tsv .* but got t.xlsx"),
    ],
)
def test_a_file_that_is_no_table_is_refused(tmp_path, name, content, message):
    path = tmp_path / name
    path.write_bytes(content)

    with pytest.raises(ValueError, match=message):
        load_table(path, text="review", label="mood")


def test_no_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no table .*t\.csv"):
        load_table(tmp_path / "t.csv", text="review", label="mood")


def test_parquet_names_what_it_needs(tmp_path, monkeypatch):
    path = tmp_path / "t.parquet"
    path.write_bytes(b"PAR1")
    real = builtins.__import__

    def without(name, *arguments, **named):
        if name.split(".")[0] in ("pyarrow", "fastparquet"):
            raise ImportError(name)
        return real(name, *arguments, **named)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ModuleNotFoundError, match="pip install pyarrow, or save the table as CSV"):
        load_table(path, text="review", label="mood")


def test_a_label_of_its_own_in_every_row_is_named_as_the_trouble(tmp_path):
    rows = ["review,price", *(f"text {n},{n}.5" for n in range(30))]
    path = tmp_path / "t.csv"
    path.write_text("\n".join(rows) + "\n")

    with pytest.raises(ValueError, match=r"column 'price', but its 30 rows have 30 different lab"):
        load_table(path, text="review", label="price")


def test_all_texts_are_read_with_labels_or_without(path):
    split = read_texts(path, text="review", label="mood")
    assert rows_of(split) == list(range(40))
    assert split.labels.tolist() == [int(n % 4 > 0) for n in range(40)]
    assert split.ids[39] == "row 40"
    assert set(read_texts(path, text="review").labels) == {-1}
    assert column_names(path) == ["review", "mood", "who", "key"]


def test_lines_are_read_as_texts(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes('\ufefffür, "zwei"\r\n\r\n drei\u2028vier'.encode())
    split = read_texts(path)
    assert split.texts == ('für, "zwei"', "drei\u2028vier") and split.ids == ("line 1", "line 3")
    path.write_text("word\n...\n\n", encoding="utf-8")
    assert read_texts(path).texts == ("word", "...")


@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        ("t.csv", {}, r"needs the name of its column of texts; it has \['review', 'mood'"),
        ("t.txt", {"label": "mood"}, "no columns, but the column 'mood' was asked for"),
        ("none.txt", {}, "There is no file"),
        ("latin.txt", {}, "latin.txt is not text in UTF-8"),
    ],
)
def test_texts_that_cannot_be_read(tmp_path, name, options, said):
    write(tmp_path / "t.csv", reviews())
    (tmp_path / "t.txt").write_text("a text\n")
    (tmp_path / "latin.txt").write_bytes(b"f\xfcr\n")
    with pytest.raises((ValueError, FileNotFoundError), match=said):
        read_texts(tmp_path / name, **options)


def test_labels_can_be_numbered_as_a_models_classes(tmp_path):
    path = tmp_path / "few.csv"
    path.write_text("review,mood\nfine,up\nslow,down\nlong,down\n")
    classes = ("still", "up", "down")
    assert read_texts(path, text="review", label="mood", classes=classes).labels.tolist() == [
        1,
        2,
        2,
    ]
    path.write_text("review,mood\nfine,up\n")
    assert read_texts(path, text="review", label="mood", classes=classes).labels.tolist() == [1]
    path.write_text("review,mood\n" + "".join(f"fine,Up {n}\n" for n in range(7)))
    with pytest.raises(ValueError, match=r"still, up, down: 'Up 0', .*'Up 4' and 2 more\. Write"):
        read_texts(path, text="review", label="mood", classes=classes)

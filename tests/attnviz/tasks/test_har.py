import numpy as np
import pytest

from attnviz.tasks import DamagedDataError, DataNotFoundError, load_har
from tests.attnviz.tasks import har_files
from tests.attnviz.tasks.har_files import ROOT, SIGNALS, SUBJECTS, small_har, value, zipped


@pytest.fixture
def publish(tmp_path, monkeypatch):
    """Writes an archive and makes it the published one."""
    return lambda content, file="har.zip": har_files.publish(tmp_path / file, content, monkeypatch)


@pytest.fixture
def load(publish):
    path = publish(zipped(small_har()))
    return lambda fold=0, folds=5, **options: load_har(path, fold=fold, folds=folds, **options)


def test_windows_stand_as_published_timestep_by_signal(load):
    task = load()

    assert task.features == tuple(SIGNALS)
    for name, split in task.splits.items():
        half = float(name == "test")
        for place, id in enumerate(split.ids):
            file, number = id.split("/")
            assert file == ("test" if half else "train")
            expected = value(half, int(number), np.arange(128)[:, None], np.arange(9))
            assert np.abs(split.values[place] - expected).max() < 5e-4
            assert split.labels[place] == int(number) % 6
            assert split.groups[place] == SUBJECTS[file][int(number)]
    assert task.splits["test"].values.dtype == np.float32
    assert task.splits["test"].values.shape == (5, 128, 9)


def test_published_digits_are_read_to_the_last(publish):
    files = small_har()
    name = f"{ROOT}/test/Inertial Signals/body_gyro_y_test.txt"
    assert b"  1.0000040e+003" in files[name]
    files[name] = files[name].replace(b"  1.0000040e+003", b" -1.8085153e-004", 1)

    test = load_har(publish(zipped(files)), folds=5).splits["test"]

    assert test.values[0, 0, 4] == np.float32(-1.8085153e-4)


def test_a_zip_within_the_zip_and_an_unpacked_folder_give_the_same(publish, load, tmp_path):
    straight = load()
    outer = zipped({"UCI HAR Dataset.zip": zipped(small_har()), "UCI HAR Dataset.names": b"about"})
    nested = load_har(publish(outer), folds=5)
    for name, content in small_har().items():
        path = tmp_path / "unpacked" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    unpacked = load_har(tmp_path / "unpacked", folds=5)

    for name, split in straight.splits.items():
        for other in (nested, unpacked):
            assert other.splits[name].ids == split.ids
            assert np.array_equal(other.splits[name].values, split.values)
            assert np.array_equal(other.splits[name].groups, split.groups)
    assert straight.provenance["sha256"] != nested.provenance["sha256"]
    assert unpacked.provenance["sha256"] is None


@pytest.mark.parametrize("folds", [2, 3, 5])
@pytest.mark.parametrize("seed", [0, 4])
def test_every_subject_is_in_one_fold_and_never_in_two_splits(load, folds, seed):
    validated = []
    for fold in range(folds):
        splits = load(fold, folds, seed=seed).splits
        train, validation, test = (set(split.groups.tolist()) for split in splits.values())
        assert not train & validation
        assert not (train | validation) & test
        assert train | validation == {1, 3, 5, 6, 8}
        assert len(splits["train"]) + len(splits["validation"]) == 11
        validated += sorted(validation)
    assert sorted(validated) == [1, 3, 5, 6, 8]


def test_folds_depend_on_the_seed_alone(load):
    drawn = {seed: load(seed=seed).provenance["validation_subjects"] for seed in range(12)}

    assert drawn[0] == load(seed=0).provenance["validation_subjects"]
    assert len(set(drawn.values())) > 2


def test_the_task_says_what_it_is(load):
    task = load(fold=2)

    assert (task.name, task.metric, task.length, task.feature_count) == ("har", "accuracy", 128, 9)
    assert task.classes[0] == "walking"
    assert task.classes[5] == "laying"
    assert (task.provenance["fold"], task.provenance["folds"]) == (2, 5)
    assert task.provenance["terms"] == "cite us"
    validated = sorted(set(task.splits["validation"].groups.tolist()))
    assert task.provenance["validation_subjects"] == ", ".join(map(str, validated))


@pytest.mark.parametrize(
    ("fold", "folds", "message"),
    [
        (0, 1, "there can be 2 to 5 folds, but got 1"),
        (0, 6, "there are 5 to train on, .* 2 to 5 folds, but got 6"),
        (5, 5, "folds 0 to 4, but got 5"),
        (-1, 3, "folds 0 to 2, but got -1"),
    ],
)
def test_folds_that_are_not_there_are_refused(load, fold, folds, message):
    with pytest.raises(ValueError, match=message):
        load(fold, folds)


SIGNAL = f"{ROOT}/train/Inertial Signals/total_acc_y_train.txt"
ONE_ROW = b" 1.0" * 128 + b"\n"


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (SIGNAL, None, r"total_acc_y_train\.txt"),
        (SIGNAL, ONE_ROW * 10, r"y_train\.txt has 10 windows, not one for each of 11 labels"),
        (SIGNAL, ONE_ROW * 10 + ONE_ROW[4:], "is no table of numbers"),
        (SIGNAL, ONE_ROW[4:] * 11, "needs 128 numbers a line, .* its lines have 127"),
        (SIGNAL, (ONE_ROW * 11).replace(b"1.0", b"nan", 1), "all of them finite"),
        (SIGNAL, (ONE_ROW * 11).replace(b"1.0", b"1,0", 1), "is no table of numbers"),
        (SIGNAL, ONE_ROW * 11 + b"\xff", "is no table of numbers"),
        (SIGNAL, b" \n", "is no table of numbers .it is empty"),
        (f"{ROOT}/test/y_test.txt", b"1\n2\n7\n1\n1\n", "test has labels 1 to 7, not 1 to 6"),
        (f"{ROOT}/test/y_test.txt", b"1\n2\n0\n1\n1\n", "test has labels 0 to 2, not 1 to 6"),
        (f"{ROOT}/test/y_test.txt", b"1\n2.5\n1\n1\n1\n", "y_test.txt is no table of numbers"),
        (f"{ROOT}/test/y_test.txt", b"1 2\n" * 5, "needs 1 number a line"),
        (f"{ROOT}/test/subject_test.txt", b"2\n" * 6, "test has 5 labels but 6 subjects"),
        (f"{ROOT}/test/subject_test.txt", b"2\n" * 4 + b"8\n", r"subjects \[8\] are in both"),
    ],
)
def test_a_malformed_data_set_is_one_clear_error(publish, tmp_path, name, content, message):
    files = {other: kept for other, kept in small_har().items() if other != name}
    if content is not None:
        files[name] = content

    with pytest.raises(
        DamagedDataError, match=rf"not the complete data set UCI HAR: .*{message}.*Delete it"
    ):
        load_har(publish(zipped(files)), folds=5)


def test_an_unpacked_folder_that_lacks_a_file_is_refused(tmp_path):
    for name, content in small_har().items():
        if name != SIGNAL:
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)

    with pytest.raises(DamagedDataError, match=r"FileNotFoundError.*total_acc_y_train\.txt"):
        load_har(tmp_path)


@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.parametrize("part", [0.0, 0.5, 0.99])
def test_an_archive_that_was_published_cut_off_is_refused(publish, part, nested):
    content = zipped(small_har())
    content = content[: int(part * len(content))]
    path = publish(zipped({"UCI HAR Dataset.zip": content}) if nested else content)

    with pytest.raises(DamagedDataError, match="cannot be read to its end"):
        load_har(path)


def test_a_member_that_was_altered_is_refused(publish):
    content = bytearray(zipped(small_har()))
    place = content.index(b"body_gyro_z_test.txt") + 300
    content[place] ^= 0x55

    with pytest.raises(DamagedDataError, match="cannot be read to its end"):
        load_har(publish(bytes(content)))


def test_an_archive_that_is_not_the_published_one_is_refused(publish):
    path = publish(zipped(small_har()))
    path.write_bytes(path.read_bytes() + b"x")

    with pytest.raises(DamagedDataError, match="is not the published uci-har archive: its sha256"):
        load_har(path)


def test_nothing_is_unpacked(publish, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = publish(zipped({**small_har(), "../outside.txt": b"hostile", "/abs.txt": b"hostile"}))
    before = sorted(tmp_path.rglob("*"))

    load_har(path, folds=5)

    assert sorted(tmp_path.rglob("*")) == before


def test_an_empty_folder_is_not_the_data(tmp_path):
    with pytest.raises(DataNotFoundError, match="The uci-har data set is needed"):
        load_har(tmp_path)


@pytest.fixture(scope="module")
def full(full_data):
    return load_har(full_data)


@pytest.mark.data
def test_all_windows_are_there(full):
    train, validation, test = full.splits.values()

    assert len(train) + len(validation) == 7352
    assert test.values.shape == (2947, 128, 9)
    trained = np.bincount(train.labels) + np.bincount(validation.labels)
    assert trained.tolist() == [1226, 1073, 986, 1286, 1374, 1407]
    assert np.bincount(test.labels).tolist() == [496, 471, 420, 491, 532, 537]


@pytest.mark.data
def test_windows_of_each_subject_are_counted_and_no_subject_is_in_two_splits(full):
    counts = {}
    for split in full.splits.values():
        subjects, windows = np.unique(split.groups, return_counts=True)
        assert not counts.keys() & set(subjects.tolist())
        counts.update(zip(subjects.tolist(), windows.tolist(), strict=True))
        for subject in subjects:  # everyone did everything
            assert np.bincount(split.labels[split.groups == subject], minlength=6).min() >= 36
    assert counts == {
        1: 347, 2: 302, 3: 341, 4: 317, 5: 302, 6: 325, 7: 308, 8: 281, 9: 288, 10: 294,
        11: 316, 12: 320, 13: 327, 14: 323, 15: 328, 16: 366, 17: 368, 18: 364, 19: 360, 20: 354,
        21: 408, 22: 321, 23: 372, 24: 381, 25: 409, 26: 392, 27: 376, 28: 382, 29: 344, 30: 383,
    }  # fmt: skip


@pytest.mark.data
def test_the_folds_never_change(full_data, full):
    assert full.provenance["validation_subjects"] == "11, 25, 27"
    assert len(full.splits["validation"]) == 1101
    second = load_har(full_data, fold=1)
    assert second.provenance["validation_subjects"] == "1, 23, 30"
    assert len(second.splits["validation"]) == 1102
    assert set(second.splits["test"].groups.tolist()) == {2, 4, 9, 10, 12, 13, 18, 20, 24}


@pytest.mark.data
def test_neighbouring_windows_overlap_by_half(full):
    split = full.splits["train"]
    followed = (split.groups[:-1] == split.groups[1:]) & (split.labels[:-1] == split.labels[1:])
    gyro = split.values[:, :, 3:6]

    same = (np.abs(gyro[:-1, 64:] - gyro[1:, :64]).max(axis=(1, 2)) < 1e-6)[followed]
    assert same.mean() > 0.9


@pytest.mark.data
def test_total_acceleration_is_near_one_g_and_without_gravity_near_none(full):
    values = full.splits["test"].values.astype(np.float64)
    weight = np.linalg.norm(values[:, :, 6:].mean(axis=1), axis=-1)

    assert abs(np.median(weight) - 1) < 0.05
    assert np.abs(values[:, :, :3].mean(axis=(0, 1))).max() < 0.02

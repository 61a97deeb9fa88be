"""A task from a folder of images with a subfolder per class; arrays of images use the same convolutional network."""

import warnings
from collections import Counter
from functools import partial
from hashlib import sha256
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps
from torch import nn

from steepest.errors import BadTask
from steepest.ingest import targets
from steepest.ingest.notes import names
from steepest.ingest.targets import Origin
from steepest.messages import Message, say
from steepest.records.bounded import read_file
from steepest.tasks.task import Task

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp"})
DEFAULT_SIDE_PIXELS = 32
"""Images are resized to this width and height, unless --size sets another."""
TEST_FOLDERS = frozenset({"test", "testing", "val", "valid", "validation"})
TRAIN_FOLDERS = frozenset({"train", "training"})
MAX_NUMBERS = 2**30
"""Maximum number of values in all images together, since they are held in memory."""


def pictures(folder: Path) -> list[Path]:
    """The images below a folder, sorted by name, without hidden files and folders."""
    found = (path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file())
    return sorted(path for path in found if not any(part.startswith(".") for part in path.relative_to(folder).parts))


def digest(folder: Path) -> str:
    """SHA-256 over the names and bytes of all images."""
    whole = sha256()
    for path in pictures(folder):
        whole.update(f"{path.relative_to(folder).as_posix()}\0{sha256(read_file(path)).hexdigest()}\0".encode())
    return whole.hexdigest()


def picture_task(folder: Path, size: int, origin: Origin) -> Task:
    """The task of predicting the folder of an image. Raises BadTask."""
    notes: list[Message] = []
    groups = _groups(folder, notes)
    classes = sorted({label for group in groups.values() for label, _ in group})
    if len(classes) < 2:
        raise BadTask(
            f"{folder} has {len(classes)} folders of images. It needs at least two, one for each class, such as cats/ "
            "and dogs/."
        )
    count = sum(len(group) for group in groups.values())
    targets.require_examples(origin.title, count)
    if count * 3 * size**2 > MAX_NUMBERS:
        raise BadTask(f"{count} images of {size} × {size} pixels do not fit into memory. Use a smaller --size.")
    parts, modes, labels = _read(groups, classes, size, notes)
    targets.require_examples(origin.title, sum(len(x) for x, _ in parts.values()))
    colours = 3 if modes - {"1", "L", "LA", "I", "I;16"} else 1
    scaled = {part: (_scaled(x if colours == 3 else x[:, :1]), y) for part, (x, y) in parts.items()}
    counts = Counter(label for part in labels.values() for label in part)
    notes += [
        say(
            "{count:,} images, {balance}; classification, metric accuracy.",
            count=sum(counts.values()),
            balance=targets.balance(counts),
        ),
        say(
            "Resized to {size} × {size} pixels (--size sets another), {colour}; values v from 0 to 255 are scaled as "
            "(v − 128) / 64.",
            size=size,
            colour=say("in colour") if colours == 3 else say("greyscale"),
        ),
    ]
    return network_task(scaled, colours, size, size, len(classes), origin, notes)


def _groups(folder: Path, notes: list[Message]) -> dict[str, list[tuple[str, Path]]]:
    """Part → (class, image): "data" for all, or "train" and "test" if the folders have such names."""
    names = {path.name.lower(): path for path in folder.iterdir() if path.is_dir()}
    train, test = (
        next((path for name, path in names.items() if name in given), None) for given in (TRAIN_FOLDERS, TEST_FOLDERS)
    )
    if train is not None and test is not None and len(names) <= 3:
        notes.append(
            say(
                "{test}/ is the test part; each seed draws its validation part from {train}/.",
                test=test.name,
                train=train.name,
            )
        )
        return {"train": _classes(train), "test": _classes(test)}
    return {"data": _classes(folder)}


def _classes(folder: Path) -> list[tuple[str, Path]]:
    return [(path.relative_to(folder).parts[0], path) for path in pictures(folder) if path.parent != folder]


def _read(
    groups: dict[str, list[tuple[str, Path]]], classes: list[str], size: int, notes: list[Message]
) -> tuple[dict[str, tuple[np.ndarray, np.ndarray]], set[str], dict[str, list[str]]]:
    """Part → pixels [n, 3, S, S] as bytes and classes [n]; the image modes found; part → names of the classes."""
    parts, modes, named = {}, set(), {}
    seen: set[str] = set()
    broken, copies = [], 0
    for part in sorted(groups, reverse=True):  # the training part first: duplicates are removed from test
        pixels, labels = [], []
        for label, path in groups[part]:
            content = read_file(path)
            if (mark := sha256(content).hexdigest()) in seen:
                copies += 1
                continue
            seen.add(mark)
            opened = _opened(path, size)
            if opened is None:
                broken.append(path.name)
                continue
            modes.add(opened[0])
            pixels.append(opened[1])
            labels.append(label)
        if not pixels:
            raise BadTask(f"None of the {len(groups[part])} images of the {part} part can be read. Check the files.")
        y = np.array([classes.index(label) for label in labels], dtype=np.int64)
        parts[part], named[part] = (np.stack(pixels), y), labels
    if copies:
        notes.append(say("Identical copies of images removed: {copies:,}.", copies=copies))
    if broken:
        notes.append(say("Left out, cannot be read ({count:,}): {which}.", count=len(broken), which=names(broken)))
    return parts, modes, named


def _opened(path: Path, size: int) -> tuple[str, np.ndarray] | None:
    """The mode of an image and its pixels [3, S, S] as bytes, rotated by its EXIF orientation; None if it is broken."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # such as Pillow's warning of a decompression bomb
            with Image.open(path) as picture:
                upright = ImageOps.exif_transpose(picture)
                small = _in_bytes(upright).resize((size, size), Image.Resampling.BILINEAR)
                return upright.mode, np.asarray(small, dtype=np.uint8).transpose(2, 0, 1)
    except Exception:  # the readers of the formats raise many kinds of exceptions for broken files
        return None


def _in_bytes(picture: Image.Image) -> Image.Image:
    """An image of any mode as RGB with 8 bits per channel; transparency becomes white."""
    if picture.mode.startswith("I"):
        return Image.fromarray((np.asarray(picture).astype(np.float64) / 257).clip(0, 255).astype(np.uint8)).convert(
            "RGB"
        )
    if picture.mode in ("RGBA", "LA", "PA") or "transparency" in picture.info:
        white = Image.new("RGBA", picture.size, "white")
        return Image.alpha_composite(white, picture.convert("RGBA")).convert("RGB")
    return picture.convert("RGB")


def _scaled(x: np.ndarray) -> np.ndarray:
    return (x.astype(np.float32) - 128) / 64


def network_task(
    parts: dict[str, tuple[np.ndarray, np.ndarray]],
    colours: int,
    height: int,
    width: int,
    classes: int,
    origin: Origin,
    notes: list[Message],
) -> Task:
    """The task of predicting the class of images [n, colours, height, width], with a network of matching size."""
    given = parts["data" if "data" in parts else "train"]
    shares = targets.SHARES if "data" in parts else (0.85, 0.15, 0.15)
    total = sum(shares)
    training = targets.training_length(len(given[1]), tuple(share / total for share in shares))
    notes.append(
        say("Model: convolutions with 16, 32 and 32 maps, dense layers of width 64 and {classes}.", classes=classes)
    )
    network = partial(picture_net, colours, height, width, classes)
    return origin.task(Task, classes, training, notes, model=network, **parts)


def picture_net(colours: int, height: int, width: int, classes: int) -> nn.Sequential:
    """Three convolutions with stride 2 and two dense layers: x [B, colours, H, W] → [B, classes].

    H and W are at least 8; the last maps are [B, 32, ⌈H/8⌉, ⌈W/8⌉].
    """
    places = -(-height // 8) * -(-width // 8)
    return nn.Sequential(
        *(nn.Conv2d(colours, 16, 3, stride=2, padding=1), nn.ReLU()),
        *(nn.Conv2d(16, 32, 3, stride=2, padding=1), nn.ReLU()),
        *(nn.Conv2d(32, 32, 3, stride=2, padding=1), nn.ReLU()),
        *(nn.Flatten(), nn.Linear(32 * places, 64), nn.ReLU(), nn.Linear(64, classes)),
    )

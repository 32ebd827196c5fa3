"""Rendered subjects kept on disk: found by their recipe, believed only after their checksum.

One file holds one split: the arrays, an index in JSON that says which bytes are which array, a
trailer that says where the index begins, and the CRC-32 of all that. The file is mapped into
memory, so that processes on the same split share its pages. Checking 100 MB takes 0.03 s.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import logging
import math
import os
import struct
import tempfile
import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cdseg_teach.cohorts.study import Subject
from cdseg_teach.runtime import cache_dir

FORMAT = 1  # of the file; a change makes every older file be rendered again
CAP_BYTES = 4 * 10**9
ABANDONED_SECONDS = 3600  # no split takes an hour to write
_ALIGNMENT = 64
_MAGIC = b"cdsplit1"
_TRAILER = struct.Struct("<8sQ")  # magic, bytes of the index
_CHECKSUM = struct.Struct("<I")  # CRC-32 of everything before it

_log = logging.getLogger(__name__)


def cached_subjects(
    recipe: dict[str, Any], render: Callable[[], Iterable[Subject]], *, cap_bytes: int = CAP_BYTES
) -> tuple[Subject, ...]:
    """The subjects of a recipe: from the disk when a sound file is there, else rendered and kept.

    Two processes that render the same recipe at once both leave a good file. A folder that cannot
    be written costs the cache only: one line is logged, the subjects are rendered.

    Parameters
    ----------
    recipe
        Everything that the subjects depend on, in values that JSON knows.
    render
        Makes the subjects of that recipe.
    cap_bytes
        Size of the whole cache above which the files used longest ago are removed.

    Returns
    -------
    The subjects, in the order of `render`. Arrays that come from the disk are mapped copy-on-write:
    changing one never changes the file.

    Examples
    --------
    >>> cached_subjects({"study": "brain", "seed": 0, "split": "nobody"}, tuple)
    ()
    """
    folder = cache_dir() / "subjects"
    file = folder / f"{_fingerprint(recipe)}.split"
    subjects = _read(file)
    if subjects is not None:
        with contextlib.suppress(OSError):
            os.utime(file)  # marks it as used now
        return subjects
    subjects = tuple(render())
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _write(file, subjects)
        _trim(folder, cap_bytes)
    except OSError as error:
        _warn_once(
            f"{folder}: {error.strerror or error}; subjects are rendered anew in each session"
        )
    return subjects


def _fingerprint(recipe: dict[str, Any]) -> str:
    text = json.dumps([FORMAT, recipe], sort_keys=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


@functools.cache
def _warn_once(message: str) -> None:
    _log.warning(message)


def _read(file: Path) -> tuple[Subject, ...] | None:
    """The subjects of a file, or None when it is missing or not byte for byte what was written."""
    try:
        content = np.asarray(np.memmap(file, mode="c"))
    except (OSError, ValueError):  # ValueError: an empty file cannot be mapped
        return None
    written = content.size - _CHECKSUM.size
    if written < _TRAILER.size:
        return None
    (checksum,) = _CHECKSUM.unpack(content[written:].tobytes())
    index_end = written - _TRAILER.size
    magic, index_bytes = _TRAILER.unpack(content[index_end:written].tobytes())
    if magic != _MAGIC or zlib.crc32(content[:written].data) != checksum:
        return None
    index = json.loads(content[index_end - index_bytes : index_end].tobytes())
    return tuple(_subject(entry, content) for entry in index)


def _subject(entry: dict[str, Any], content: np.ndarray) -> Subject:
    def array(name: str, dtype: type) -> np.ndarray:
        start, shape = entry[name]
        size = math.prod(shape) * np.dtype(dtype).itemsize
        return content[start : start + size].view(dtype).reshape(shape)

    return Subject(
        name=entry["name"],
        image=array("image", np.float32),
        label=array("label", np.uint8) if "label" in entry else None,
        spacing_mm=tuple(entry["spacing_mm"]),
        affine=np.array(entry["affine"]),
    )


def _write(file: Path, subjects: Sequence[Subject]) -> None:
    """Write beside the final name, flush, rename: the final name never holds half a file."""
    handle, part = tempfile.mkstemp(dir=file.parent, prefix=file.stem, suffix=".part")
    try:
        with os.fdopen(handle, "wb") as stream:
            checksum = 0
            for piece in _pieces(subjects):
                checksum = zlib.crc32(piece, checksum)
                stream.write(piece)
            stream.write(_CHECKSUM.pack(checksum))
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(part, file)
    finally:
        Path(part).unlink(missing_ok=True)


def _pieces(subjects: Sequence[Subject]) -> Iterator[bytes]:
    """The arrays of all subjects, each padded to 64 bytes, then the index and the trailer."""
    index = []
    position = 0
    for subject in subjects:
        entry: dict[str, Any] = {
            "name": subject.name,
            "spacing_mm": list(subject.spacing_mm),
            "affine": np.asarray(subject.affine).tolist(),
        }
        arrays = {"image": subject.image, "label": subject.label}
        for name, array in arrays.items():
            if array is None:
                continue
            entry[name] = [position, array.shape]
            piece = array.tobytes()
            piece += bytes(-len(piece) % _ALIGNMENT)
            position += len(piece)
            yield piece
        index.append(entry)
    text = json.dumps(index).encode()
    yield text + _TRAILER.pack(_MAGIC, len(text))


def _trim(folder: Path, cap_bytes: int) -> None:
    """Remove what killed processes left, and the files used longest ago until the rest fits."""
    now = time.time()
    for part in folder.glob("*.part"):
        with contextlib.suppress(OSError):
            if now - part.stat().st_mtime > ABANDONED_SECONDS:
                part.unlink()
    room = cap_bytes
    for file, status in sorted(_statuses(folder), key=lambda pair: -pair[1].st_mtime):
        room -= status.st_size
        if room < 0:
            file.unlink(missing_ok=True)


def _statuses(folder: Path) -> Iterator[tuple[Path, os.stat_result]]:
    for file in folder.glob("*.split"):
        with contextlib.suppress(OSError):  # another process may have removed it
            yield file, file.stat()

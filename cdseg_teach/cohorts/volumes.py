"""One volume of a NIfTI file, checked before it is believed."""

from __future__ import annotations

import math
import stat
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from nibabel.openers import ImageOpener

from cdseg_teach.problems import Problem

MAX_VOXELS = 512 * 512 * 320  # a long CT of the heart; as float32, 0.34 GB
MAX_VOLUMES = 500  # of a 4-D file, each a channel: diffusion has up to 300; more is a time series
DEFLATE_LIMIT = 1032  # gzip cannot make anything smaller than by this factor
SMALLEST_SPACING_MM = 1e-3
LONGEST_MM = 3000.0  # a person with room around; beyond, somebody has taken another unit for mm
CHUNK = 2**20  # bytes that are read at a time where only the end of a file matters
LARGEST = 1e30  # beyond, a sum of squares overflows
FLATTEST_VOXEL = 1e-3  # volume of a voxel over the product of its edges: 1 at right angles


@dataclass(frozen=True)
class Scan:
    """Where one 3-D volume lies: a file, and which of its volumes where it has a fourth axis."""

    file: Path
    volume: int | None = None

    def __str__(self) -> str:
        """How messages call it: with its subject, without the long way there."""
        which = "" if self.volume is None else f", volume {self.volume}"
        return f"{self.file.parent.name}/{self.file.name}{which}"


def count_volumes(file: Path) -> int | None:
    """How many volumes a 4-D file has; None for what is 3-D, or what open_volume will refuse.

    That is a file that cannot be opened, a header that claims more than the file can hold, and more
    than `MAX_VOLUMES`: nobody is to make as many scans as a header that lies asks for.
    """
    try:
        _check_regular(file)
        with _silent_nibabel():
            image = nib.load(file)
        shape = _without_empty_axes(image.shape)  # type: ignore[attr-defined]
        lies = _claims_too_much(image, file)  # type: ignore[arg-type]
    except Exception:  # as in open_volume, which says what is wrong
        return None
    return shape[3] if len(shape) == 4 and shape[3] <= MAX_VOLUMES and not lies else None


def open_volume(scan: Scan) -> nib.Nifti1Image:
    """An image whose header makes sense and has that volume; its voxels are not read yet.

    Raises
    ------
    Problem
        When the file cannot be opened, has more volumes than are asked for, no usable affine, or
        claims more voxels than it can hold.
    """
    file = scan.file
    try:
        _check_regular(file)
        with _silent_nibabel():
            image = nib.load(file)
        if not isinstance(image, nib.Nifti1Image):
            raise TypeError(f"it is {type(image).__name__}")
        shape, affine, stored_spacing = image.shape, image.affine, _stored_spacing(image)
        stored_bytes, lies = file.stat().st_size, _claims_too_much(image, file)
    except Exception as error:  # nibabel lets errors of gzip, zlib, struct and numpy through
        raise Problem(
            f"{scan}: cannot be opened as NIfTI ({reason(error)}); copy it again"
        ) from error
    if image.get_data_dtype().kind not in "iufb":
        what = f"holds {image.get_data_dtype()}, not a number a voxel"
        raise Problem(f"{scan}: {what}; export magnitudes")
    shape = _without_empty_axes(shape)
    if lies:
        raise Problem(
            f"{scan}: header claims {shape} voxels, too many for {stored_bytes} bytes; "
            "copy it again"
        )
    _check_axes(scan, shape)
    _check_geometry(scan, affine, stored_spacing, shape[:3])
    _check_size(scan, shape[:3], image.get_data_dtype().itemsize)
    return image


def _check_axes(scan: Scan, shape: tuple[int, ...]) -> None:
    """A Problem unless the volume that is asked for is there."""
    if len(shape) == 4 and scan.volume is None and shape[3] > MAX_VOLUMES:
        what = f"has {shape[3]} volumes, more than {MAX_VOLUMES}"
        raise Problem(f"{scan}: {what}; keep those that are to be channels")
    if len(shape) == 3 and scan.volume is not None:
        what = "the file holds one volume, without a fourth axis"
        raise Problem(f"{scan}: {what}; leave its `volume` in the column map empty")
    if len(shape) == 4 and scan.volume is None:
        cure = "keep one 3-D volume in it, or say which as `volume` in a column map"
        raise Problem(f"{scan}: has {shape[3]} volumes; {cure}")
    if len(shape) not in (3, 4):
        raise Problem(f"{scan}: has shape {shape}; keep one 3-D volume in a file")
    if scan.volume is not None and not 0 <= scan.volume < shape[3]:
        raise Problem(f"{scan}: is not there, the file has 0 to {shape[3] - 1}; name one of these")


def _check_geometry(
    scan: Scan, affine: np.ndarray | None, stored_spacing: np.ndarray, shape: tuple[int, ...]
) -> None:
    """A Problem unless the voxels have a place and a size that a body's can have."""
    if affine is None or not np.isfinite(affine).all():
        raise Problem(f"{scan}: affine is not finite; export it with its geometry")
    spacing = nib.affines.voxel_sizes(affine)
    if min(*spacing, *np.abs(stored_spacing)) < SMALLEST_SPACING_MM:
        raise Problem(f"{scan}: spacing is zero; export it with its geometry")
    if abs(np.linalg.det(affine[:3, :3] / spacing)) < FLATTEST_VOXEL:
        raise Problem(f"{scan}: affine is singular; export it with its geometry")
    longest = max(n * step for n, step in zip(shape, spacing, strict=True))
    if longest > LONGEST_MM:
        what = f"is {longest / 1000:.4g} m long by its affine"
        raise Problem(f"{scan}: {what}; export it again, its unit has to be mm")


def _check_size(scan: Scan, shape: tuple[int, ...], itemsize: int) -> None:
    """A Problem when the volume would take too much memory."""
    if math.prod(shape) > MAX_VOXELS:
        raise Problem(f"{scan}: {shape} is more than {MAX_VOXELS} voxels; crop or downsample it")
    if math.prod(shape) * itemsize > 4 * MAX_VOXELS:  # the other copy that reading takes
        what = f"{shape} voxels of {itemsize} bytes do not fit into memory"
        raise Problem(f"{scan}: {what}; save it as float32")


def read_volume(scan: Scan) -> nib.Nifti1Image:
    """A 3-D volume in memory: finite float32 [X, Y, Z], axes flipped and swapped to RAS+.

    Raises
    ------
    Problem
        As :func:`open_volume`, and when the voxels are truncated, corrupt or not finite.
    """
    image = open_volume(scan)
    try:
        (data,) = _voxels(scan.file, type(image), [scan.volume])
    except Exception as error:  # as above
        raise _broken(scan, error) from error
    _check_finite(scan, data)
    volume = nib.Nifti1Image(data.reshape(data.shape[:3]), image.affine)
    return nib.as_closest_canonical(volume)


def read_channel(scan: Scan) -> nib.Nifti1Image:
    """A volume as :func:`read_volume` that shows something.

    Raises
    ------
    Problem
        As :func:`read_volume`, and when all voxels have one value.
    """
    image = read_volume(scan)
    _check_shows(scan, np.asarray(image.dataobj))
    return image


def channel_problems(scans: Sequence[Scan]) -> list[Problem]:
    """What :func:`read_channel` would raise for volumes of one file, which is read once.

    A file that cannot be read to its end is one line, whatever is wrong with its volumes. They are
    in memory one after another.
    """
    problems: list[Problem] = []
    scans = sorted(scans, key=lambda scan: scan.volume or 0)  # as they follow each other in it
    try:
        kind = type(open_volume(scans[0]))
        stored = _voxels(scans[0].file, kind, [scan.volume for scan in scans])
        for scan in scans:
            data = next(stored)
            try:
                _check_finite(scan, data)
                _check_shows(scan, data)
            except Problem as problem:
                problems.append(problem)
            del data  # before the next one is read
        next(stored, None)  # to the end of the file
    except Problem as problem:
        return [problem]
    except Exception as error:  # as above
        return [_broken(Scan(scans[0].file), error)]
    return problems


def read_integers(scan: Scan) -> nib.Nifti1Image:
    """A label map as :func:`read_volume`, of whole numbers.

    Raises
    ------
    Problem
        As :func:`read_volume`, and for values between two integers.
    """
    image = read_volume(scan)
    for plane in np.asarray(image.dataobj):  # one at a time: no second volume in memory
        fractional = plane[plane != np.round(plane)]
        if fractional.size:
            what = f"label {fractional[0]:.4g} is no integer"
            raise Problem(f"{scan}: {what}; resample masks with nearest neighbour")
    return image


def read_label(
    scan: Scan, structures: Sequence[str] | None, values: Mapping[int, int] | None = None
) -> nib.Nifti1Image:
    """A mask as :func:`read_volume`, whose values are 0 for background and k for structure k.

    Parameters
    ----------
    scan
        Where it lies.
    structures
        Names of structure 1..K; None: any up to 255.
    values
        What each value in the file stands for, 0 to K; None: for itself.

    Raises
    ------
    Problem
        As :func:`read_volume`, and for values that are no integers, or stand for no structure.
    """
    image = read_integers(scan)
    data = np.asarray(image.dataobj)
    if values is not None:
        return nib.Nifti1Image(_translated(scan, data, values), image.affine)
    last = 255 if structures is None else len(structures)
    for value in (data.min(), data.max()):
        if not 0 <= value <= last:
            known = f"0..{last}" + (f" ({', '.join(structures)})" if structures else "")
            cure = 'list "structures": ["...", "..."] in cohort.json, or data convert --labels'
            raise Problem(f"{scan}: label {value:.0f} is outside {known}; {cure}")
    return image


def _translated(scan: Scan, label: np.ndarray, values: Mapping[int, int]) -> np.ndarray:
    """What each value stands for, in place: a mask is as large as its scan."""
    known = np.array(sorted(values), np.float64)
    stands_for = np.array([values[int(value)] for value in known], np.float32)
    for plane in label:
        places = np.searchsorted(known, plane).clip(max=len(known) - 1)
        unknown = plane[known[places] != plane]
        if unknown.size:
            what = f"label {unknown[0]:.0f} is none of {', '.join(map(str, sorted(values)))}"
            raise Problem(f"{scan}: {what}; say which structure it is")
        plane[...] = stands_for[places]
    return label


def reason(error: Exception) -> str:
    """What an error of another library says, in one line."""
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return " ".join(text.split())[:120] or type(error).__name__


def _check_regular(file: Path) -> None:
    """An OSError for what is no file on disk: to open a pipe is to wait for whoever writes it."""
    if not stat.S_ISREG(file.stat().st_mode) and not file.is_dir():
        raise OSError("it is a pipe, socket or device")


def _claims_too_much(image: nib.Nifti1Image, file: Path) -> bool:
    """Whether a header claims no voxels, or more than a file of that size can hold."""
    compression = DEFLATE_LIMIT if file.suffix.lower() == ".gz" else 1
    claimed_bytes = math.prod(image.shape) * image.get_data_dtype().itemsize
    return min(image.shape) < 1 or claimed_bytes > compression * file.stat().st_size


def _without_empty_axes(shape: tuple[int, ...]) -> tuple[int, ...]:
    while len(shape) > 3 and shape[-1] == 1:
        shape = shape[:-1]
    return shape


@contextmanager
def _silent_nibabel() -> Iterator[None]:
    """Without nibabel's own lines on stderr about a header that it repairs."""
    logger = nib.imageglobals.logger
    before, logger.disabled = logger.disabled, True
    try:
        yield
    finally:
        logger.disabled = before


def _stored_spacing(image: nib.Nifti1Image) -> np.ndarray:
    """The spacing that the file holds: nibabel takes 1 mm where it finds 0."""
    with image.file_map["image"].get_prepare_fileobj("rb") as stream:
        header = image.header_class.from_fileobj(stream, check=False)
    return header["pixdim"][1:4]


def _voxels(
    file: Path, kind: type[nib.Nifti1Image], volumes: Sequence[int | None]
) -> Iterator[np.ndarray]:
    """Every voxel of these volumes, the first ones first, and the file read to its end.

    That is for gzip's checksum and length, which lie behind the last one.
    """
    with _silent_nibabel(), ImageOpener(str(file)) as opener:
        stream = opener.fobj
        image = kind.from_stream(stream)
        for volume in volumes:
            if volume is None:
                yield _scaled(image.dataobj)
            else:
                yield np.asarray(image.dataobj[:, :, :, volume], np.float32)
        while stream.read(CHUNK):
            pass


def _scaled(stored: Any) -> np.ndarray:
    """What the stored numbers stand for, float32: nibabel would hold them as float64 in between."""
    data: np.ndarray = stored.get_unscaled().astype(np.float32)
    if (stored.slope, stored.inter) != (1, 0):
        data *= np.float32(stored.slope)
        data += np.float32(stored.inter)
    return data


def _broken(scan: Scan, error: Exception) -> Problem:
    return Problem(f"{scan}: is truncated or corrupt ({reason(error)}); copy it again")


def _check_finite(scan: Scan, data: np.ndarray) -> None:
    if not -LARGEST < data.min() <= data.max() < LARGEST:  # false for NaN as well
        bad = data.size - int((np.abs(data) < LARGEST).sum())
        raise Problem(f"{scan}: {bad} values are not finite or beyond 1e30; export it again")


def _check_shows(scan: Scan, data: np.ndarray) -> None:
    if data.min() == data.max():
        raise Problem(f"{scan}: is {data.min():.4g} everywhere; export it again")

"""What this machine has for the lecture, and how to mend what is missing."""

import json
import os
import platform
import shutil
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib import metadata, util
from pathlib import Path

from packaging.requirements import Requirement

from cdseg_teach import __version__
from cdseg_teach.problems import Problem

PACKAGE = "cdseg_teach"
GIB = 1024**3
#: A lecture kernel stays under 1.5 GiB; the browser and the system want the rest.
ENOUGH_MEMORY = 2 * GIB
#: Rendered subjects of both tasks, with room to render them anew.
ENOUGH_DISK = 1 * GIB
#: JupyterLab shows a widget only when its half in the browser is installed too.
LAB_EXTENSIONS = ("@jupyter-widgets/jupyterlab-manager", "anywidget")
#: Names this Python, so that the mend reaches `.venv` from any shell.
PIP = f"{sys.executable} -m pip install"
CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


@dataclass(frozen=True)
class Finding:
    """One line of the report; `mend` says what to do, and is None when nothing is missing."""

    topic: str
    state: str
    mend: str | None = None


def examine() -> list[Finding]:
    """Look at everything the notebooks need."""
    return [
        Finding("cdseg_teach", f"{__version__} in {Path(__file__).parent}"),
        Finding("python", f"{platform.python_version()} on {platform.platform()}"),
        *_packages(),
        *_lab_extensions(),
        *_computing(),
        _memory(),
        _data(),
        _pack(),
        _chromium(),
    ]


def as_json(findings: list[Finding]) -> str:
    """Write the report for another program: ``{"ok": ..., "findings": [...]}``."""
    ok = not any(finding.mend for finding in findings)
    return json.dumps({"ok": ok, "findings": [asdict(finding) for finding in findings]}, indent=2)


def as_text(findings: list[Finding]) -> str:
    """Write the report for a reader, the mend right below what is missing."""
    width = max(len(finding.topic) for finding in findings)
    lines = []
    for finding in findings:
        mark = "!!" if finding.mend else "ok"
        lines.append(f"{mark}  {finding.topic:{width}}  {finding.state}")
        if finding.mend:
            lines.append(f"    {'':{width}}  -> {finding.mend}")
    return "\n".join(lines)


def find_chromium() -> str | None:
    """Path of a Chromium or Chrome that the browser tests can drive, or None."""
    return next((path for name in CHROMIUM_NAMES if (path := shutil.which(name))), None)


def _packages() -> Iterator[Finding]:
    try:
        declared = metadata.requires(PACKAGE) or []
    except metadata.PackageNotFoundError:
        yield Finding("packages", "unknown: cdseg_teach is not installed", f"{PIP} -e '.[lab]'")
        return
    for requirement in map(Requirement, declared):
        if requirement.marker is None or requirement.marker.evaluate({"extra": "lab"}):
            yield _package(requirement)


def _package(requirement: Requirement) -> Finding:
    mend = f"{PIP} '{requirement.name}{requirement.specifier}'"
    try:
        version = metadata.version(requirement.name)
    except metadata.PackageNotFoundError:
        return Finding(requirement.name, "missing", mend)
    if requirement.specifier.contains(version, prereleases=True):
        return Finding(requirement.name, version)
    return Finding(requirement.name, f"{version}, needed is {requirement.specifier}", mend)


def _lab_extensions() -> Iterator[Finding]:
    if util.find_spec("jupyterlab") is None:
        return  # its own line in the list of packages says so
    from jupyter_core.paths import jupyter_path

    for name in LAB_EXTENSIONS:
        places = [Path(folder, name) for folder in jupyter_path("labextensions")]
        found = next((place for place in places if place.is_dir()), None)
        if found:
            yield Finding(f"front end {name}", str(found))
        else:
            mend = f"{PIP} --force-reinstall jupyterlab_widgets anywidget"
            yield Finding(f"front end {name}", "missing: the labs would stay blank", mend)


def _computing() -> Iterator[Finding]:
    if util.find_spec("torch") is None:
        yield Finding("device", "unknown: torch is missing")
        return
    import torch

    from cdseg_teach.runtime import available_cores, cache_dir, pick_device

    device = pick_device("auto")
    name = f" ({torch.cuda.get_device_name(device)})" if device.type == "cuda" else ""
    yield Finding("device", f"{device}{name}")
    yield Finding("cores", str(available_cores()))
    yield from _cache(cache_dir())


def _memory() -> Finding:
    size = _memory_limit()
    if size is None:
        return Finding("memory", "unknown on this system")
    state = f"{size / GIB:.1f} GiB"
    if size < ENOUGH_MEMORY:
        return Finding("memory", state, f"use a machine with {ENOUGH_MEMORY // GIB} GiB or more")
    return Finding("memory", state)


def _memory_limit() -> int | None:
    """Bytes this process may use: the machine's, or the container's where that is less."""
    try:
        machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # not a POSIX system
        return None
    try:
        return min(machine, int(Path("/sys/fs/cgroup/memory.max").read_text()))
    except (OSError, ValueError):  # no container, or no limit ("max")
        return machine


def _cache(folder: Path) -> Iterator[Finding]:
    there = next(place for place in (folder, *folder.parents) if place.exists())
    elsewhere = "set CDSEG_TEACH_CACHE to a folder that has room and can be written"
    writable = there.is_dir() and os.access(there, os.W_OK)
    state = str(folder) if writable else f"{folder} cannot be written"
    yield Finding("cache", state, None if writable else elsewhere)
    free = shutil.disk_usage(there).free
    yield Finding("disk", f"{free / GIB:.1f} GiB free", None if free >= ENOUGH_DISK else elsewhere)


def _data() -> Finding:
    folder = os.environ.get("CDSEG_TEACH_DATA")
    if not folder:
        return Finding(
            "real scans", "CDSEG_TEACH_DATA is not set: what needs real scans is skipped"
        )
    if not Path(folder).is_dir():
        mend = "set CDSEG_TEACH_DATA to the folder with the scans, or unset it"
        return Finding("real scans", f"{folder} is not a folder", mend)
    return Finding("real scans", folder)


def _pack() -> Finding:
    try:
        from cdseg_teach.experiments.pack import MEND, lecture_pack
        from cdseg_teach.experiments.pack_plan import ENTRIES
    except ImportError:
        return Finding("lecture pack", "unknown: a package is missing")
    pack, unusable = lecture_pack(), []
    for name in ENTRIES:
        try:
            pack.check(name)
        except Problem:
            unusable.append(name)
    if unusable:
        state = f"missing or out of date: {', '.join(unusable)}"
        return Finding("lecture pack", state, f"{MEND} (it trains for a while), or install again")
    newest = max(entry["date"] for entry in pack.manifest.values())
    return Finding("lecture pack", f"{len(ENTRIES)} entries, the newest of {newest}")


def _chromium() -> Finding:
    found = find_chromium()
    return Finding("chromium", found or "absent: the browser tests are skipped")

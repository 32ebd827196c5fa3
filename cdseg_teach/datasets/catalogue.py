"""Which public data sets are known: where they are had, under which terms, what becomes of them.

An address, a checksum or a licence stands here only when a public source that is named beside it
says so; what could not be confirmed is left out, or said. No address was opened while this was
written. `docs/data_sets.md` has more on the sets that are had by hand.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from cdseg_teach.datasets.build import Domain, Plan
from cdseg_teach.datasets.fetch import RemoteFile
from cdseg_teach.problems import Problem


@dataclass(frozen=True)
class PublicSet:
    """A data set, and the cohorts that it becomes.

    Parameters
    ----------
    name
        As `data get` calls it.
    title
        In words, with the number of subjects.
    page
        Where its makers describe it.
    plan
        What becomes of it, with licence and citation.
    study
        The suggested cross-domain study, in a sentence.
    columns
        Which file is which (:mod:`~cdseg_teach.datasets.columns`); "": its `dataset.json` says it.
    files
        What is downloaded; none when it has to be had by hand.
    download_bytes, unpacked_bytes
        Of all files; 0 unpacked where there is no archive.
    converted_bytes
        Of the cohorts at most.
    """

    name: str
    title: str
    page: str
    plan: Plan
    study: str
    columns: str = ""
    files: tuple[RemoteFile, ...] = ()
    download_bytes: int = 0
    unpacked_bytes: int = 0
    converted_bytes: int = 0


def _open_ms() -> PublicSet:
    """Paths and contents are those of the repository's tree at that commit."""
    commit = "65704901f60650824565aa5a4818611aa89716f4"
    root = f"https://raw.githubusercontent.com/muschellij2/open_ms_data/{commit}"
    image = "N4_noneck_reduced_winsor_regtoFLAIR_brain_N4_regtoMNI.nii.gz"
    mask = "GOLD_STANDARD_N4_noneck_reduced_winsor_regtoFLAIR_regtoMNI.nii.gz"
    registry = (files(__package__) / "open_ms.txt").read_text(encoding="utf-8")
    entries = [line.split(maxsplit=1) for line in registry.splitlines()]
    return PublicSet(
        name="open_ms",
        title="MS lesions, 30 patients, FLAIR, T1, T2 in MNI space (Ljubljana)",
        page="https://github.com/muschellij2/open_ms_data",
        plan=Plan(
            name="open_ms",
            structures={"lesion": (1,)},
            domains={
                "source": Domain(("FLAIR", "T1"), ("patient0?", "patient1[0-5]")),
                "target": Domain(("T2", "T1"), ("patient1[6-9]", "patient2?", "patient30")),
            },
            provenance=(
                "Lesjak et al., A novel public MR image dataset of multiple sclerosis patients "
                "with lesion segmentations based on multi-rater consensus, Neuroinformatics 2017, "
                f"doi 10.1007/s12021-017-9348-7; muschellij2/open_ms_data at {commit}"
            ),
            licence="CC BY (its page names no version)",
        ),
        study="FLAIR of patients 1 to 15 against T2 of patients 16 to 30, both with T1",
        columns="\n".join(
            [
                "subject,channel,path",
                *(f"*,{c},cross_sectional/MNI/*/{c}_{image}" for c in ("FLAIR", "T1", "T2")),
                f"*,label,cross_sectional/MNI/*/{mask}",
            ]
        ),
        files=tuple(RemoteFile(path, f"{root}/{path}", checksum) for checksum, path in entries),
        download_bytes=380_000_000,
        converted_bytes=40_000_000,
    )


def _decathlon(task: str, sha256: str, size: int, **more: object) -> PublicSet:
    """Addresses as in MONAI (monai/apps/datasets.py), which has an MD5 of the same archives.

    The SHA-256 of both stands in torch-em (torch_em/data/datasets/medical/msd.py). The sizes are
    those that public records of a download tell beside the same checksums.
    """
    bucket = "https://msd-for-monai.s3-us-west-2.amazonaws.com"
    file = RemoteFile(f"{task}.tar", f"{bucket}/{task}.tar", f"sha256:{sha256}")
    return PublicSet(
        page="http://medicaldecathlon.com",
        files=(file,),
        download_bytes=size,
        unpacked_bytes=size,  # a tar of volumes that are compressed one by one
        **more,  # type: ignore[arg-type]
    )


_DECATHLON = (
    "Antonelli et al., The Medical Segmentation Decathlon, Nature Communications 13:4128, 2022, "
    "doi 10.1038/s41467-022-30695-9"
)


def _msd_brain() -> PublicSet:
    """Labels 1 oedema, 2 non-enhancing, 3 enhancing tumour, by its own dataset.json."""
    return _decathlon(
        "Task01_BrainTumour",
        "d423911308d2ae5396d9c6bf4fad2b68cfde2dd09044269da9c0d639c22753c4",
        7_608_266_240,
        name="msd_brain",
        title="gliomas, 484 scans, FLAIR, T1w, t1gd, T2w (Decathlon, Task01_BrainTumour)",
        plan=Plan(
            name="msd_brain",
            structures={"tumour": (1, 2, 3)},
            domains={
                "source": Domain(("FLAIR", "T1w"), ("*[13579]",)),
                "target": Domain(("T2w", "T1w"), ("*[02468]",)),
            },
            provenance=f"{_DECATHLON}; Task01_BrainTumour, training images",
            licence="CC BY-SA 4.0",
        ),
        study="FLAIR of odd against T2w of even numbers, both with T1w; tumour is one structure",
        converted_bytes=400_000_000,
    )


def _msd_heart() -> PublicSet:
    return _decathlon(
        "Task02_Heart",
        "4277dc6dfe100142aa8060e895f6ff0f81c5b733703ea250bd294df8f820bcba",
        455_721_472,
        name="msd_heart",
        title="left atrium, 20 patients, MR (Decathlon, Task02_Heart)",
        plan=Plan(
            name="msd_heart",
            structures={"LA": (1,)},
            domains={"": Domain(("MRI",))},
            provenance=f"{_DECATHLON}; Task02_Heart, training images",
            licence="CC BY-SA 4.0",
            spacing_mm=(4.0, 3.0, 3.0),
            plane=(128, 128),
        ),
        study="one domain only: the MR side of a study whose CT side is MM-WHS's left atrium",
        converted_bytes=60_000_000,
    )


def _wmh() -> PublicSet:
    """Layout and labels: wmh.isi.uu.nl; terms: DataverseNL."""
    sites = {"Utrecht": "source", "Singapore": "source", "Amsterdam/GE3T": "target"}
    lines = ["subject,channel,path,domain"]
    for site, domain in sites.items():
        place, name = f"training/{site}/*", f"{site.partition('/')[0]}-*"
        lines += [f"{name},{c},{place}/pre/{c}.nii.gz,{domain}" for c in ("FLAIR", "T1")]
        lines.append(f"{name},label,{place}/wmh.nii.gz,{domain}")
    channels = ("FLAIR", "T1")
    return PublicSet(
        name="wmh2017",
        title="white matter hyperintensities, 60 patients of 3 scanners, FLAIR, T1",
        page="https://doi.org/10.34894/AECRSD",
        plan=Plan(
            name="wmh2017",
            structures={"lesion": (1,)},
            domains={"source": Domain(channels), "target": Domain(channels)},
            background=(0, 2),  # 2 is other pathology, which the challenge leaves out
            provenance=(
                "Kuijf et al., Standardized assessment of automatic segmentation of white matter "
                "hyperintensities, IEEE TMI 38(11), 2019, doi 10.1109/TMI.2019.2905770"
            ),
            licence="CC BY-NC 4.0 (DataverseNL); the readme in it has older terms",
            plane=(128, 128),  # heads are longer than brains
        ),
        study="Utrecht (Philips) and Singapore (Siemens) against Amsterdam (GE)",
        columns="\n".join(lines),
        converted_bytes=60_000_000,
    )


def _mm_whs() -> PublicSet:
    lines = ["subject,channel,path,domain"]
    for kind, domain in (("mr", "source"), ("ct", "target")):
        begin = f"{kind}_train/{kind}_train_*"
        lines.append(f"{kind}-*,{kind.upper()},{begin}_image.nii.gz,{domain}")
        lines.append(f"{kind}-*,label,{begin}_label.nii.gz,{domain}")
    return PublicSet(
        name="mm_whs",
        title="whole hearts, 20 by MR and 20 by CT, seven structures",
        page="https://zmiclab.github.io/zxh/0/mmwhs/",
        plan=Plan(
            name="mm_whs",
            structures={
                "LV": (500,),
                "RV": (600,),
                "LA": (420,),
                "RA": (550,),
                "MYO": (205,),
                "AO": (820,),
                "PA": (850,),
            },
            domains={"source": Domain(("MR",)), "target": Domain(("CT",))},
            provenance=(
                "Zhuang et al., Evaluation of algorithms for multi-modality whole heart "
                "segmentation, Medical Image Analysis 58:101537, 2019, "
                "doi 10.1016/j.media.2019.101537"
            ),
            licence="by an agreement with its makers; not to be passed on",
            spacing_mm=(4.0, 2.5, 2.5),
            plane=(128, 128),
        ),
        study="MR against CT, as in notebook 05",
        columns="\n".join(lines),
        converted_bytes=150_000_000,
    )


@cache
def public_sets() -> dict[str, PublicSet]:
    """Every data set of the catalogue, by name."""
    every = (_open_ms(), _msd_brain(), _msd_heart(), _wmh(), _mm_whs())
    return {chosen.name: chosen for chosen in every}


def public_set(name: str) -> PublicSet:
    """One of the catalogue.

    Raises
    ------
    Problem
        When there is none of that name.
    """
    known = public_sets()
    if name not in known:
        raise Problem(f"data set {name!r} is unknown; there is {', '.join(known)}")
    return known[name]

"""Which public data sets are known: where they are had, under which terms, what becomes of them.

An address, a checksum or a licence stands here only when a public source that is named beside it
says so; what could not be confirmed is left out, or said. No address was opened while this was
written. `docs/data_sets.md` has more on the sets that are had by hand.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from cdseg_teach.datasets.anatomies import ANATOMY, Anatomies
from cdseg_teach.datasets.build import Domain, Plan
from cdseg_teach.datasets.fetch import RemoteFile
from cdseg_teach.problems import Problem
from cdseg_teach.scanners import DATA_SET_1, DATA_SET_2


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
        files=_of_repository(root, "open_ms.txt"),
        download_bytes=380_000_000,
        converted_bytes=40_000_000,
    )


def _of_repository(root: str, registry: str) -> tuple[RemoteFile, ...]:
    """The files that a registry lists, each with git's name for its content."""
    lines = (files(__package__) / registry).read_text(encoding="utf-8").splitlines()
    entries = [line.split(maxsplit=1) for line in lines]
    return tuple(RemoteFile(path, f"{root}/{path}", checksum) for checksum, path in entries)


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


def _our_scanners(source: tuple[str, ...], target: tuple[str, ...]) -> dict[str, Any]:
    """Patients with the brains of a set in the lecture's two scanners, other brains in each."""
    return {
        "structures": {"lesion": (1,)},
        "domains": {
            "source": Domain(DATA_SET_1.channels, source),
            "target": Domain(DATA_SET_2.channels, target),
        },
        "scanners": {"source": DATA_SET_1, "target": DATA_SET_2},
    }


def _synthseg() -> PublicSet:
    """Paths and contents are those of the repository's tree at that commit.

    Its labels are FreeSurfer's (`data/labels table.txt` there has those of a segmentation), which
    ones occur says `data/labels_classes_priors/generation_labels.npy`. By FreeSurfer's table, 25
    and 57 are lesions of white matter, which become white matter, 30 and 62 vessels, which mark the
    fluid around one, 72 the fifth ventricle, 85 the optic chiasm. 136, 137, 163 and 164 lie in the
    ventricles, as the choroid plexus does, and become fluid. From 502 on they are outside the
    brain. Red nucleus and substantia nigra have none.
    """
    commit = "66342c1f05e520f3729a6d7ca1042eb7f01b6266"
    root = f"https://raw.githubusercontent.com/BBillot/SynthSeg/{commit}"
    maps = "data/training_label_maps/training_seg_*.nii.gz"
    return PublicSet(
        name="synthseg",
        title="20 brains as label maps, patients drawn on them, seen by the lecture's scanners",
        page="https://github.com/BBillot/SynthSeg",
        plan=Anatomies(
            name="synthseg",
            **_our_scanners(("brain0?", "brain10"), ("brain1[1-9]", "brain20")),
            tissues={
                "grey": (3, 42, 8, 47, 10, 49, 17, 53, 18, 54),
                "white": (2, 41, 7, 46, 16, 28, 60, 25, 57, 85),
                "csf": (4, 43, 5, 44, 14, 15, 24, 30, 62, 72, 136, 137, 163, 164),
                "striatum": (11, 50, 12, 51, 26, 58),
                "iron_rich": (13, 52),
            },
            provenance=(
                "simulated on the label maps of Billot et al., SynthSeg, Medical Image Analysis "
                f"86:102789, 2023, doi 10.1016/j.media.2023.102789; BBillot/SynthSeg at {commit}"
            ),
            licence="Apache 2.0 for the repository; of the scans behind the maps nothing is said",
        ),
        study="brains 1 to 10 by gradient echo against 11 to 20 by SWI, as in notebook 02",
        columns=f"subject,channel,path\nbrain*,{ANATOMY},{maps}",
        files=_of_repository(root, "synthseg.txt"),
        download_bytes=33_000_000,
        converted_bytes=60_000_000,
    )


def _brainweb() -> PublicSet:
    """Labels: of the 20 normal models, as the packages brainweb-dl and brainweb list them.

    0 background, 1 CSF, 2 grey, 3 white matter, 4 fat, 5 muscle, 6 skin, 7 skull, 8 vessels, 9
    around fat, 10 dura, 11 marrow. The deep nuclei have no label of their own and are drawn in.
    """
    return PublicSet(
        name="brainweb",
        title="20 brains of BrainWeb, patients drawn on them, seen by the lecture's scanners",
        page="https://brainweb.bic.mni.mcgill.ca/brainweb/anatomic_normal_20.html",
        plan=Anatomies(
            name="brainweb",
            **_our_scanners(
                ("brain0?", "brain18", "brain20", "brain38", "brain4[1-4]"),
                ("brain4[5-9]", "brain5?"),
            ),
            tissues={"grey": (2,), "white": (3,), "csf": (1, 8)},
            provenance=(
                "simulated on BrainWeb's 20 anatomical models of normal brains (Aubert-Broche et "
                "al., IEEE TMI, 2006; its page says how to cite them)"
            ),
            licence="not stated",
        ),
        study="ten brains by gradient echo against ten by SWI, as in notebook 02",
        columns=f"subject,channel,path\nbrain*,{ANATOMY},subject*.nii.gz",
        converted_bytes=60_000_000,
    )


@cache
def public_sets() -> dict[str, PublicSet]:
    """Every data set of the catalogue, by name."""
    real = (_open_ms(), _msd_brain(), _msd_heart(), _wmh(), _mm_whs())
    every = (*real, _synthseg(), _brainweb())
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

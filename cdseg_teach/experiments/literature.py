"""What others reported, to stand beside our tables and not among their rows."""

from __future__ import annotations

from io import StringIO

import pandas as pd

LITERATURE_NOTE = (
    "Reported by others, on other data, with other networks: not computed here, and not to be "
    "compared with our rows in points. `read in` says where the figures were seen."
)
_TEXT = """\
method|tried on|metric|without|with|source|read in
adversarial, features|brain injury, GE to SWI|DSC, %|15.7|62.7|Kamnitsas et al. 2017, IPMI, arXiv:1612.08894|the lecture
adversarial, features and masks (PnP-AdaNet)|heart, MR to CT, four structures|DSC, %|13.2|63.9|Dou et al. 2019, IEEE Access, arXiv:1812.07907|the abstract
adversarial, images and features (SIFA)|heart, MR to CT, four structures|DSC, %|17.2|73.0|Chen et al. 2019, AAAI, arXiv:1901.08211|the abstract
adversarial, output (AdaptSegNet)|streets, GTA5 to Cityscapes|mean IoU, %|36.6|42.4|Tsai et al. 2018, CVPR, arXiv:1802.10349|quoted by others
adversarial, self-information (AdvEnt)|streets, GTA5 to Cityscapes|mean IoU, %|-|43.8|Vu et al. 2019, CVPR, arXiv:1811.12833|quoted by others
Fourier mixing (FDA), three networks averaged|streets, GTA5 to Cityscapes|mean IoU, %|-|50.45|Yang and Soatto 2020, CVPR, arXiv:2004.05498|the authors' code
stacked transformations (BigAug)|prostate, left atrium, left ventricle; unseen data sets|loss of DSC, %|39 (usual augmentation)|11|Zhang et al. 2020, IEEE TMI, arXiv:1906.03347|the abstract
batch statistics|objects, ImageNet-C, ResNet-50|mean corruption error, %|76.7|62.2|Schneider et al. 2020, NeurIPS, arXiv:2006.16971|the abstract
batch statistics|objects, CIFAR-10-C, WRN-28-10|error, %|43.5|20.4|Wang et al. 2021, ICLR, arXiv:2006.10726|the authors' code
TENT|objects, CIFAR-10-C, WRN-28-10|error, %|43.5|18.6|Wang et al. 2021, ICLR, arXiv:2006.10726|the authors' code
TENT, label shift|objects, ImageNet-C, ResNet-50|accuracy, %|18.0|2.1|Niu et al. 2023, ICLR, arXiv:2302.12400|the authors' code
GIN, then consistency at test time (DG-TTA)|heart, CT to MR, two set-ups|gain in DSC, points|-|14.2 and 55.7|Weihsbach et al. 2025, Sensors 25:5603, arXiv:2312.06275|the abstract
DANN instead of plain training|objects, seven benchmarks, T unseen (DomainBed)|accuracy, %|66.6|66.1|Gulrajani and Lopez-Paz 2021, ICLR, arXiv:2007.01434|the authors' code
"""  # noqa: E501

#: Published figures: what a method was tried on, the metric, its value without and with the method.
LITERATURE = pd.read_csv(StringIO(_TEXT), sep="|", dtype=str, index_col="method")

"""Pictures that are there already, in memory."""

from dataclasses import dataclass

import numpy as np

from xplain_cli.baselines import open_baseline
from xplain_cli.datasets.pixels import Reading
from xplain_cli.modalities.image.candidates import OtherPictures
from xplain_cli.modalities.image.compose import InputForm
from xplain_cli.modalities.image.masks import PictureMasker
from xplain_cli.modalities.image.superpixels import open_superpixels


@dataclass(frozen=True)
class Given:
    """A picture that is there already."""

    values: np.ndarray
    size: tuple
    box: tuple
    is_8bit: bool = True
    id: str = "given"
    notes: tuple = ()

    def read(self):
        return self


def given(values, *, is_8bit=True):
    height, width = values.shape[:2]
    return Given(values, (width, height), (0, 0, width, height), is_8bit)


def noise(shape=(12, 16, 3), seed=0):
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def save(path, array):
    np.save(path, array, allow_pickle=False)
    return str(path)


PLAIN = InputForm()


IMAGENET = InputForm("NCHW", "float32", 1 / 255, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


def perturbation(form=PLAIN, baseline="mean", cut="grid", segments=6, **more):
    return PictureMasker(open_superpixels(cut, segments), fitted(baseline), form, **more)


@dataclass(frozen=True)
class Reference:
    """As much of a reference as a named picture needs."""

    files: OtherPictures


def fitted(text):
    return open_baseline("image", text).fit(Reference(OtherPictures(Reading())))

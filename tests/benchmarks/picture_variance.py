"""Variance of picture weights on a real network, at equal model calls: plain masks over ours."""

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np

from xplain_cli.baselines import open_baseline
from xplain_cli.datasets.pictures import find_pictures
from xplain_cli.datasets.pixels import Reading
from xplain_cli.methods import METHODS, MaskOutputs, Task
from xplain_cli.modalities.image.compose import InputForm
from xplain_cli.modalities.image.masks import PictureMasker
from xplain_cli.modalities.image.superpixels import open_superpixels
from xplain_cli.models import ModelRecipe, load_model
from xplain_cli.models.batches import predict_fixed
from xplain_cli.specs import build

FOLDER = Path(__file__).parents[2] / "sample_data" / "pictures"
PLAIN = "lime:design=plain,control=none"
OURS = [
    "lime:design=pairs,control=none",
    "lime:design=pairs,control=logit2",
    "lime:design=sobol,control=none",
    "lime:design=codes,control=none",
    "lime:design=codes,control=logit2",
]


class Remembered:
    """A model on the masks of one picture, which asks no mask twice."""

    def __init__(self, model, rows, output):
        self.model, self.rows, self.output, self.known = model, rows, output, {}

    def __call__(self, masks):
        """Return the explained numbers (m, 1)."""
        keys = [row.tobytes() for row in np.packbits(masks, axis=1)]
        new = {key: i for i, key in enumerate(keys) if key not in self.known}
        order = list(new.values())
        for start in range(0, len(order), 64):
            some = order[start : start + 64]
            answers = predict_fixed(self.model, self.rows.masked(0, masks[some]), size=64)
            self.known |= {keys[i]: a[self.output] for i, a in zip(some, answers, strict=True)}
        return np.array([self.known[key] for key in keys])[:, None]


def weigh(method, perturbation, rows, model, budget, seed, *, bounded):
    """Return the weights (n,) of one picture."""
    n = int(rows.counts[0])
    own = model(np.ones((1, n), dtype=bool))
    task = Task(
        perturbation,
        rows,
        np.array([[[0, -1]]]),
        own,
        margin=False,
        seed=seed,
        samples=budget[0],
        repeats=budget[1],
        probabilities=bounded,
    )
    explaining = method.explain(task)
    need = explaining.send(None)
    try:
        explaining.send(MaskOutputs([model(masks) for masks in need.masks], np.zeros(1, dtype=int)))
    except StopIteration as finished:
        return finished.value.weights[0, 0]
    raise RuntimeError("one question is enough")


def measure(perturbation, pictures, output, budget, seeds):
    """Return, by method, the median and least ratio of variances over pictures."""
    recipe = ModelRecipe(str(FOLDER / "scenes.onnx"), modality="image", model_output=output)
    loaded = load_model(recipe)
    ratios = {text: [] for text in OURS}
    for picture in pictures:
        rows = perturbation.split([picture])
        signature = loaded.settle(rows.inputs)
        network = loaded.bind(signature)
        target = int(network.predict(rows.inputs)[0].argmax())
        model = Remembered(network, rows, target)
        spread = {}
        for text in [PLAIN, *OURS]:
            method = build(text, METHODS["masks"])
            runs = [
                weigh(
                    method, perturbation, rows, model, budget, s, bounded=output == "probabilities"
                )
                for s in range(seeds)
            ]
            spread[text] = np.var(runs, axis=0, ddof=1).sum()
        for text in OURS:
            ratios[text].append(spread[PLAIN] / spread[text])
    return ratios


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=int, default=10)
    parser.add_argument("--seeds", type=int, default=16)
    parser.add_argument("--segments", type=int, nargs="*", default=[16, 32])
    arguments = parser.parse_args()
    form = InputForm("NCHW", "float32", 1 / 255, (0.5,), (0.25,))
    pictures = find_pictures([str(FOLDER / "scenes")]).take(0, arguments.pictures, Reading())
    perturbation = PictureMasker(
        open_superpixels("slic", 16), open_baseline("image", "mean").fit(None), form
    )
    for segments in arguments.segments:
        budget = (512 if segments <= 18 else 2048, 1)
        own = replace(perturbation, cut=open_superpixels("slic", segments))
        for output in ("probabilities", "scores"):
            print(f"{segments} superpixels, {budget[0]} calls, {output}:", flush=True)
            ratios = measure(own, pictures, output, budget, arguments.seeds)
            for text, found in ratios.items():
                line = f"median {np.median(found):7.1f}   least {min(found):7.1f}"
                print(f"  {text:36s} {line}", flush=True)


if __name__ == "__main__":
    main()

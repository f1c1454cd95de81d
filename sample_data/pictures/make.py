"""Remake every file of this folder: digits, scenes with a digit in them, photographs, models."""

import argparse
import pickle
import warnings
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from skimage import data
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType
from sklearn.datasets import load_digits
from sklearn.neural_network import MLPClassifier
from threadpoolctl import threadpool_limits

OPSET = 17  # not the newest: any onnxruntime that we allow reads it
SIDE, DIGIT = 64, 32  # pixels of a scene, and of the digit in it
TRAINING, SHOWN = 1500, 12
PHOTOS = ("astronaut", "camera", "coffee", "rocket")


def save_photos(folder: Path) -> list[np.ndarray]:
    """Write four photographs of scikit-image, at most 512 pixels wide; return them in colours."""
    photos = []
    (folder / "photos").mkdir(exist_ok=True)
    for name in PHOTOS:
        image = Image.fromarray(getattr(data, name)())
        image.thumbnail((512, 512))
        image.save(folder / "photos" / f"{name}.jpg", quality=85)
        photos.append(np.asarray(image.convert("RGB")))
    return photos


def make_digits(folder: Path) -> None:
    """Write digits.npy (the last 100), digits.pkl and digits.onnx: pixels of 0 to 16 in a row."""
    digits = load_digits()
    rows = digits.data.astype(np.float32)
    network = MLPClassifier((64,), alpha=0.01, max_iter=400, random_state=0)
    network.fit(rows[:TRAINING], digits.target[:TRAINING])
    np.save(folder / "digits.npy", digits.images[-100:].astype(np.float32))
    with (folder / "digits.pkl").open("wb") as file:
        pickle.dump(network, file, protocol=5)
    exported = to_onnx(
        network,
        initial_types=[("pixels", FloatTensorType([None, rows.shape[1]]))],
        options={id(network): {"zipmap": False}},
        target_opset=OPSET,
    )
    (folder / "digits.onnx").write_bytes(exported.SerializeToString())
    print(f"digits: {network.score(rows[TRAINING:], digits.target[TRAINING:]):.3f} right")


def draw_scene(
    digit: np.ndarray, photos: list[np.ndarray], stream: np.random.Generator
) -> np.ndarray:
    """
    Return a scene (SIDE, SIDE, 3) uint8: a digit in some colour, somewhere on part of a photograph.

    The photograph is faded to a quarter of its contrast, and the digit stands out from it by at
    least 90 of 255 in the mean of its colours.
    """
    photo = photos[stream.integers(len(photos))]
    size = stream.integers(SIDE, min(photo.shape[:2]) + 1)
    top = stream.integers(photo.shape[0] - size + 1)
    left = stream.integers(photo.shape[1] - size + 1)
    part = Image.fromarray(photo[top : top + size, left : left + size]).resize((SIDE, SIDE))
    scene = np.asarray(part, dtype=np.float64)
    level = stream.integers(60, 196)
    scene = np.clip(level + (scene - scene.mean()) / 2, 0, 255)
    colour = stream.integers(0, 256, 3).astype(np.float64)
    while abs(colour.mean() - level) < 90:
        colour = stream.integers(0, 256, 3).astype(np.float64)
    ink = Image.fromarray((digit * 15.9).astype(np.uint8)).resize((DIGIT, DIGIT), Image.BICUBIC)
    share = np.zeros((SIDE, SIDE, 1))
    y, x = stream.integers(0, SIDE - DIGIT + 1, 2)
    share[y : y + DIGIT, x : x + DIGIT, 0] = np.clip(np.asarray(ink) / 160.0, 0, 1)
    return np.rint(scene * (1 - share) + colour * share).astype(np.uint8)


class Network(torch.nn.Module):
    """Bytes in, the pixels' own layout; scores and probabilities of ten digits out."""

    def __init__(self) -> None:
        super().__init__()
        conv, relu = torch.nn.Conv2d, torch.nn.ReLU
        self.body = torch.nn.Sequential(
            conv(3, 16, 3, padding=1), relu(), torch.nn.MaxPool2d(2),
            conv(16, 32, 3, padding=1), relu(), torch.nn.MaxPool2d(2),
            conv(32, 48, 3, padding=1), relu(),
            conv(48, 64, 5, padding=2), relu(),
            torch.nn.AdaptiveMaxPool2d(1), torch.nn.Flatten(), torch.nn.Linear(64, 10),
        )  # fmt: skip

    def forward(self, pixels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return (rows, 10) scores and probabilities of (rows, 3, SIDE, SIDE) floats, about 0."""
        scores = self.body(pixels)
        return scores, torch.softmax(scores, dim=1)


def as_inputs(scenes: np.ndarray) -> torch.Tensor:
    """Return scenes (rows, h, w, 3) as the network takes them: (pixel / 255 - 0.5) / 0.25."""
    return torch.from_numpy((np.moveaxis(scenes, 3, 1) / 255 - 0.5).astype(np.float32) / 0.25)


def train(photos: list[np.ndarray], steps: int) -> Network:
    """Train on fresh scenes of the training digits."""
    torch.manual_seed(0)
    digits, stream = load_digits(), np.random.default_rng(0)
    network = Network()
    optimizer = torch.optim.AdamW(network.parameters(), lr=3e-3, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 4e-3, total_steps=steps)
    for _ in range(steps):
        rows = stream.integers(0, TRAINING, 64)
        scenes = np.stack([draw_scene(digits.images[row], photos, stream) for row in rows])
        scores, _ = network(as_inputs(scenes))
        loss = torch.nn.functional.cross_entropy(scores, torch.from_numpy(digits.target[rows]))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return network.eval()


def make_scenes(folder: Path, photos: list[np.ndarray], steps: int) -> None:
    """Write scenes.onnx and scenes/: a small convolutional network and pictures it never saw."""
    network = train(photos, steps)
    digits, stream = load_digits(), np.random.default_rng(1)
    rows = range(TRAINING, len(digits.images))
    scenes = np.stack([draw_scene(digits.images[row], photos, stream) for row in rows])
    with torch.no_grad():
        said = network(as_inputs(scenes))[0].argmax(dim=1).numpy()
    print(f"scenes: {(said == digits.target[TRAINING:]).mean():.3f} right")
    (folder / "scenes").mkdir(exist_ok=True)
    for at in range(SHOWN):
        name = f"{at:02d}-shows-{digits.target[TRAINING + at]}.png"
        Image.fromarray(scenes[at]).save(folder / "scenes" / name)
    warnings.filterwarnings("ignore", category=DeprecationWarning)
    torch.onnx.export(
        network,
        (as_inputs(scenes[:1]),),
        folder / "scenes.onnx",
        input_names=["pixels"],
        output_names=["scores", "probabilities"],
        dynamic_axes={name: {0: "rows"} for name in ("pixels", "scores", "probabilities")},
        opset_version=OPSET,
        dynamo=False,  # the newer exporter needs onnxscript, for the same graph
    )


def main() -> None:
    """Remake the files in the folder of this script, or in ``--output``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=Path(__file__).parent)
    parser.add_argument("--steps", type=int, default=600, help="training steps of the network")
    arguments = parser.parse_args()
    folder = arguments.output
    folder.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)  # sums over threads differ in the last digit
    with threadpool_limits(1):
        photos = save_photos(folder)
        make_digits(folder)
        make_scenes(folder, photos, arguments.steps)


if __name__ == "__main__":
    main()

"""What a run on pictures costs beside the model itself, and beside lime, on one core.

python tests/benchmarks/picture_speed.py [--pictures 20] [--milliseconds 3 10]

A random network at 224 pixels is made so wide that one picture takes about the asked-for time.
Times are processor time (user and system) of whole processes with one thread, so that other work
on the machine does not count; wall time is printed beside it. The model alone is timed before and
after each run, in batches as large as the tool's.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

FOLDER = Path(__file__).parents[2] / "sample_data" / "pictures"
MEAN, STD = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
SIDE, BATCH, CALLS = 224, 32, 1024


def convolution(name, source, into, channels, stride, stream):
    """Return the nodes and constants of a convolution with ReLU."""
    before, after = channels
    weights = stream.normal(size=(after, before, 3, 3)) * np.sqrt(2 / (9 * before))
    constant = numpy_helper.from_array(weights.astype(np.float32), f"{name}.weights")
    where = {"strides": [stride, stride], "pads": [1, 1, 1, 1]}
    return [
        helper.make_node("Conv", [source, constant.name], [f"{name}.sum"], **where),
        helper.make_node("Relu", [f"{name}.sum"], [into]),
    ], constant


def store_network(path, width):
    """Write a network of five convolutions, the first *width* channels wide, 10 classes."""
    stream = np.random.default_rng(0)
    sizes = [3, width, 2 * width, 4 * width, 8 * width, 8 * width]
    nodes, constants, source = [], [], "pixels"
    for i in range(5):
        made, constant = convolution(
            f"c{i}", source, f"h{i}", sizes[i : i + 2], 2 if i < 4 else 1, stream
        )
        nodes, constants, source = nodes + made, [*constants, constant], f"h{i}"
    last = stream.normal(size=(8 * width, 10)) / np.sqrt(8 * width)
    constants.append(numpy_helper.from_array(last.astype(np.float32), "last"))
    nodes += [
        helper.make_node("ReduceMean", [source], ["pooled"], axes=[2, 3], keepdims=0),
        helper.make_node("MatMul", ["pooled", "last"], ["scores"]),
        helper.make_node("Softmax", ["scores"], ["probabilities"]),
    ]
    one = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes,
        "speed",
        [one("pixels", TensorProto.FLOAT, ["rows", 3, SIDE, SIDE])],
        [one("probabilities", TensorProto.FLOAT, ["rows", 10])],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    path.write_bytes(model.SerializeToString())


def opened(path):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(path, options)


def pure_seconds(path, batches):
    """Return processor seconds of one picture, by the median over batches of BATCH."""
    session = opened(path)
    inputs = np.random.default_rng(0).normal(size=(BATCH, 3, SIDE, SIDE)).astype(np.float32)
    session.run(None, {"pixels": inputs})
    found = []
    for _ in range(batches):
        began = time.process_time()
        session.run(None, {"pixels": inputs})
        found.append(time.process_time() - began)
    return float(np.median(found)) / BATCH


def network_of(folder, milliseconds):
    """Write a network that takes about so long, and return its path and real seconds."""
    best = None
    for width in (8, 12, 16, 20, 24, 32, 40, 48, 64, 80):
        path = folder / f"{width}.onnx"
        store_network(path, width)
        took = pure_seconds(path, 5)
        if best is None or abs(took - milliseconds / 1e3) < abs(best[1] - milliseconds / 1e3):
            best = (path, took)
        if took > milliseconds / 1e3:
            break
    return best[0]


def cut_pictures(folder, count):
    """Write pictures of 224 pixels cut from the sample photographs."""
    folder.mkdir()
    photos = [Image.open(path).convert("RGB") for path in sorted((FOLDER / "photos").iterdir())]
    stream = np.random.default_rng(0)
    for i in range(count):
        photo = photos[i % len(photos)]
        left = int(stream.integers(0, photo.width - SIDE + 1))
        top = int(stream.integers(0, photo.height - SIDE + 1))
        photo.crop((left, top, left + SIDE, top + SIDE)).save(folder / f"{i:02d}.png")


def processor_seconds(command, **more):
    """Run a command; return its processor and wall seconds."""
    before, began = os.times(), time.perf_counter()
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    subprocess.run(list(map(str, command)), check=True, **quiet, **more)
    after = os.times()
    used = after.children_user + after.children_system
    return used - before.children_user - before.children_system, time.perf_counter() - began


def lime_once(model, pictures, labels):
    """Explain pictures by lime at CALLS calls each; with *labels* on those superpixels."""
    from lime.lime_image import LimeImageExplainer

    session = opened(model)

    def answer(batch):
        inputs = (np.asarray(batch) / 255 - MEAN) / STD
        inputs = np.moveaxis(inputs, 3, 1).astype(np.float32)
        return session.run(None, {"pixels": inputs})[0]

    for path in pictures:
        picture = np.asarray(Image.open(path))
        cut = None
        if labels is not None:
            own = np.asarray(Image.open(labels / f"{path.stem}.png")).astype(int)
            cut = lambda _, own=own: own  # noqa: E731
        LimeImageExplainer(random_state=0).explain_instance(
            picture,
            answer,
            top_labels=1,
            num_samples=CALLS,
            batch_size=BATCH,
            segmentation_fn=cut,
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=int, default=20)
    parser.add_argument("--lime-pictures", type=int, default=5)
    parser.add_argument("--milliseconds", type=float, nargs="*", default=[3.0, 10.0])
    parser.add_argument("--lime-only", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.lime_only:
        model, folder, labels = arguments.lime_only
        paths = sorted(Path(folder).iterdir())[: arguments.lime_pictures]
        lime_once(model, paths, None if labels == "-" else Path(labels))
        return
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        cut_pictures(folder / "pictures", arguments.pictures)
        for wanted in arguments.milliseconds:
            compare(folder, network_of(folder, wanted), arguments)


def compare(folder, model, arguments):
    """Print one network's line."""
    count, few = arguments.pictures, arguments.lime_pictures
    command = [sys.executable, "-m", "xplain_cli", "image", model, folder / "pictures"]
    command += ["--rescale", "1/255", "--mean", ",".join(map(str, MEAN))]
    command += ["--std", ",".join(map(str, STD)), "-j", "1", "--force", "-o", folder / "run"]
    before = pure_seconds(model, 5)
    ours, wall = processor_seconds(command)
    calls = json.loads((folder / "run" / "run_results.json").read_text())["model_inputs_rows"]
    each = (before + pure_seconds(model, 5)) / 2
    alone = [sys.executable, __file__, "--lime-pictures", str(few), "--lime-only", model]
    same, _ = processor_seconds([*alone, folder / "pictures", folder / "run" / "segments"])
    own, _ = processor_seconds([*alone, folder / "pictures", "-"])
    print(
        f"model {1e3 * each:.1f} ms a picture; ours {ours / count:.2f} s a picture,"
        f" {ours / (each * calls):.3f} of the model alone (wall {wall:.0f} s);"
        f" lime over ours: {same / few / (ours / count):.2f} with the same superpixels,"
        f" {own / few / (ours / count):.2f} with its quickshift",
        flush=True,
    )


if __name__ == "__main__":
    main()

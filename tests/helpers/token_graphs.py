"""ONNX models of token ids in the many ways they are exported, and their answers by themselves."""

from dataclasses import dataclass

import numpy as np

WORDS = [
    *("the", "a", "good", "bad", "film", "plot", "not", "very"),
    *("dull", "fine", "music", "with", "and", "story", "is", "was"),
]
TEXTS = [
    "good film",
    "bad plot and dull music",
    "not a very good story with fine music and the plot is bad",
    "the the the good",
]


@dataclass(frozen=True)
class Export:
    """
    How a model of token ids was exported.

    Attributes
    ----------
    names
        Inputs beside the ids, by their role; "" leaves one out.
    sees_mask, sees_pad
        Whether the graph hides what the mask hides, and the tokens of this id.
    length, rows
        What the graph fixes.
    late
        Whether a token counts more the later it stands, which needs a fixed length.
    """

    ids: str = "input_ids"
    mask: str = ""
    types: str = ""
    positions: str = ""
    mask_type: str = "INT64"
    sees_mask: bool = True
    sees_pad: int | None = None
    length: int | str = "length"
    rows: int | str = "rows"
    late: bool = False


def make_tokenizer(folder, *, pad="[PAD]", special=True, most=None, cut="right", padding=None):
    """Write a tokenizer of the words; the pad token stands at id 0, or after the unknown one."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    first = [pad, "[UNK]"] if pad == "[PAD]" else ["[UNK]", *filter(None, [pad])]
    vocabulary = {word: i for i, word in enumerate([*first, "[CLS]", "[SEP]", *WORDS])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    if special:
        marks = [(name, vocabulary[name]) for name in ("[CLS]", "[SEP]")]
        tokenizer.post_processor = processors.TemplateProcessing(
            single="[CLS]:1 $A:0 [SEP]:1", special_tokens=marks
        )
    if most:
        tokenizer.enable_truncation(most, direction=cut)
    if padding is not None:
        tokenizer.enable_padding(**{"pad_id": vocabulary[pad], "pad_token": pad, **padding})
    tokenizer.save(str(folder / "tokenizer.json"))
    return vocabulary


def _values(export, size):
    draw = np.random.default_rng(0)
    values = {
        "E": draw.normal(size=(size, 6)),
        "T": draw.normal(size=(2, 6)),
        "P": draw.normal(size=(40, 6)),
        "W": draw.normal(size=(6, 2)) * 2,
    }
    if export.late:
        values["late"] = (np.linspace(0, 1, export.length) ** 2)[None, :, None] * 4
    return {name: value.astype(np.float32) for name, value in values.items()}


def _embedded(export, node):
    """Add the embeddings of ids, types and positions; return the sum."""
    total = node("Gather", "E", export.ids)
    for table, name in (("T", export.types), ("P", export.positions)):
        if name:
            total = node("Add", total, node("Gather", table, name))
    return node("Mul", total, "late") if export.late else total


def _pooled(export, node, total):
    """Return the mean over the tokens that are not hidden."""
    from onnx import TensorProto

    shown = None
    if export.mask and export.sees_mask:
        shown = node("Cast", export.mask, to=TensorProto.FLOAT)
    elif export.sees_pad is not None:
        hidden = node("Equal", export.ids, "pad")
        shown = node("Cast", node("Not", hidden), to=TensorProto.FLOAT)
    if shown is None:
        return node("ReduceMean", total, axes=[1], keepdims=0)
    each = node("Mul", total, node("Unsqueeze", shown, "last"))
    count = node("ReduceSum", shown, "middle", keepdims=1)
    return node("Div", node("ReduceSum", each, "middle", keepdims=0), count)


def make_graph(folder, export, vocabulary):
    """Write a model that averages what its tokens are worth; two classes."""
    from onnx import TensorProto, helper, numpy_helper, save

    nodes = []

    def node(kind, *inputs, **settings):
        made = f"n{len(nodes)}"
        nodes.append(helper.make_node(kind, list(inputs), [made], **settings))
        return made

    logits = node("MatMul", _pooled(export, node, _embedded(export, node)), "W")
    nodes.append(helper.make_node("Softmax", [logits], ["probs"], axis=1))
    kinds = {export.mask: getattr(TensorProto, export.mask_type)}
    given = filter(None, [export.ids, export.mask, export.types, export.positions])
    values = _values(export, len(vocabulary))
    values |= {
        "pad": np.array(export.sees_pad or 0),
        "last": np.array([2]),
        "middle": np.array([1]),
    }
    graph = helper.make_graph(
        nodes,
        "tokens",
        [
            helper.make_tensor_value_info(
                name, kinds.get(name, TensorProto.INT64), [export.rows, export.length]
            )
            for name in given
        ],
        [helper.make_tensor_value_info("probs", TensorProto.FLOAT, [export.rows, 2])],
        [numpy_helper.from_array(value, name) for name, value in values.items()],
    )
    opset = [helper.make_opsetid("", 17)]
    save(helper.make_model(graph, opset_imports=opset, ir_version=8), str(folder / "m.onnx"))


def alone(folder, export, text):
    """Return what a model says of one text that its own tokenizer has made ready."""
    import onnxruntime
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    if isinstance(export.length, int) and tokenizer.truncation is None:
        tokenizer.enable_truncation(export.length)
    one = tokenizer.encode(text)
    parts = {
        export.ids: one.ids,
        export.mask: one.attention_mask,
        export.types: one.type_ids,
        export.positions: list(range(len(one.ids))),
    }
    session = onnxruntime.InferenceSession(str(folder / "m.onnx"))
    kinds = {"tensor(int64)": np.int64, "tensor(float)": np.float32, "tensor(bool)": np.bool_}
    rows = export.rows if isinstance(export.rows, int) else 1
    feed = {
        slot.name: np.array([parts[slot.name]] * rows, dtype=kinds[slot.type])
        for slot in session.get_inputs()
    }
    return session.run(None, feed)[0][0]

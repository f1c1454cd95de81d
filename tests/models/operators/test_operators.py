"""Each operator as onnxruntime answers it, in the forms that opsets and exporters have."""

import numpy as np
import pytest

pytest.importorskip("torch")

from onnx import TensorProto, helper
from onnx_graphs import model, node, translated

from xplain_cli.models.operators import OPERATORS

DRAW = np.random.default_rng(3)
ML = "ai.onnx.ml"
VECTOR, PICTURE, SEQUENCE = (6,), (4, 6, 7), (5, 4)


def weights(*shape):
    return (DRAW.normal(size=shape) * 0.5).astype(np.float32)


def whole(*numbers):
    return np.array(numbers, dtype=np.int64)


def single(number):
    return np.array(number, dtype=np.float32)


def plain(op, shape=VECTOR, *, opset=17, domain="", **attributes):
    return model([node(op, domain=domain, **attributes)], shape, opset=opset), shape


def held(op, inputs, shape=VECTOR, *, opset=17, domain="", attributes=None, **constants):
    """Return an operator whose other inputs are constants."""
    nodes = [node(op, inputs, domain=domain, **(attributes or {}))]
    return model(nodes, shape, opset=opset, **constants), shape


def then(*nodes, shape=VECTOR, opset=17, **constants):
    return model(list(nodes), shape, opset=opset, **constants), shape


def shifted(op, *, low=0.0, **attributes):
    """Return an operator of positive numbers, or of those in [0, 1)."""
    squash = node("Sigmoid", "x", "s") if not low else node("Abs", "x", "a")
    more = [] if not low else [node("Add", "a c", "s")]
    nodes = [squash, *more, node(op, "s", "y", **attributes)]
    return model(nodes, VECTOR, **({"c": single(low)} if low else {})), VECTOR


BENT = (
    *("Abs", "Celu", "Ceil", "Cos", "Cosh", "Elu", "Erf", "Exp", "Floor", "HardSigmoid"),
    *("HardSwish", "Identity", "LeakyRelu", "LogSoftmax", "Mish", "Neg", "Relu", "Round", "Selu"),
    *("Shrink", "Sigmoid", "Sign", "Sin", "Sinh", "Softmax", "Softplus", "Softsign", "Tan"),
    *("Tanh", "ThresholdedRelu", "Atan", "Asinh", "Hardmax", "Reciprocal", "Dropout"),
)
CASES = {
    **{op: plain(op, opset=18) for op in BENT},
    **{f"{op} below one": shifted(op) for op in ("Acos", "Asin", "Atanh", "Log", "Sqrt")},
    "Acosh": shifted("Acosh", low=1.5),
    "Celu alpha": plain("Celu", alpha=0.5),
    "Elu alpha": plain("Elu", alpha=0.3),
    "Selu own": plain("Selu", alpha=1.2, gamma=0.7),
    "LeakyRelu alpha": plain("LeakyRelu", alpha=0.3),
    "ThresholdedRelu alpha": plain("ThresholdedRelu", alpha=0.2),
    "Shrink bias": plain("Shrink", lambd=0.7, bias=0.3),
    "HardSigmoid own": plain("HardSigmoid", alpha=0.3, beta=0.4),
    "Gelu": plain("Gelu", opset=20),
    "Gelu tanh": plain("Gelu", opset=20, approximate="tanh"),
    "PRelu one": held("PRelu", "x s", s=single([0.2])),
    "PRelu each": held("PRelu", "x s", PICTURE, s=weights(4, 1, 1)),
    "Clip old": plain("Clip", opset=6, min=-0.5, max=0.7),
    "Clip": held("Clip", "x a b", a=single(-0.5), b=single(0.7)),
    "Clip above": then(node("Clip", "x _ b"), b=single(0.7)),
    "Clip below": held("Clip", "x a", a=single(-0.5)),
    "Clip 13": held("Clip", "x a b", opset=11, a=single(-0.5), b=single(0.7)),
    "Softmax 11 flat": plain("Softmax", SEQUENCE, opset=11, axis=1),
    "Softmax 11 last": plain("Softmax", SEQUENCE, opset=11, axis=2),
    "Softmax axis": plain("Softmax", SEQUENCE, axis=1),
    "LogSoftmax 11": plain("LogSoftmax", opset=11),
    "Cast": then(node("Cast", "x", "h", to=TensorProto.DOUBLE), node("Cast", "h", to=1)),
    "Cast whole": then(node("Cast", "x", "h", to=7), node("Cast", "h", to=1)),
    "Cast bool": then(
        node("Relu", "x", "r"), node("Cast", "r", "h", to=9), node("Cast", "h", to=1)
    ),
    "CastLike": then(node("CastLike", "x c"), c=single(0.0), opset=15),
    "IsNaN": then(node("IsNaN", "x", "n"), node("Cast", "n", to=1)),
    "IsInf": then(
        node("Exp", "x", "e"), node("IsInf", "e", "n", detect_negative=0), node("Cast", "n", to=1)
    ),
    "Mod": held("Mod", "x c", attributes={"fmod": 1}, c=single(0.7)),
    **{f"{op} constant": held(op, "x c", c=weights(6) + 2) for op in ("Add", "Sub", "Mul", "Div")},
    **{
        f"{op} both": then(node("Sigmoid", "x", "s"), node(op, "x s"))
        for op in ("Add", "Sub", "Mul", "Div", "Max", "Min", "Mean", "Sum")
    },
    **{
        f"{op} three": held(op, "x c d", c=weights(6), d=single(0.1))
        for op in ("Max", "Min", "Mean", "Sum")
    },
    "Max one": plain("Max"),
    "Mul itself": then(node("Mul", "x x")),
    "Pow whole": held("Pow", "x c", c=single(2.0)),
    "Pow 3": held("Pow", "x c", opset=12, c=np.int64(3)),
    "Pow half": then(node("Abs", "x", "a"), node("Pow", "a c"), c=single(0.5)),
    "Pow each": then(node("Abs", "x", "a"), node("Pow", "a c"), c=weights(6) + 2),
    "Pow both": then(node("Sigmoid", "x", "s"), node("Pow", "s s")),
    **{
        op: then(node(op, "x c", "b"), node("Cast", "b", to=1), c=single(0.3))
        for op in ("Greater", "GreaterOrEqual", "Less", "LessOrEqual", "Equal")
    },
    **{
        op: then(
            node("Greater", "x c", "p"),
            node("Less", "x d", "q"),
            node(op, "p q", "b"),
            node("Cast", "b", to=1),
            c=single(-0.5),
            d=single(0.5),
        )
        for op in ("And", "Or", "Xor")
    },
    "Not": then(
        node("Greater", "x c", "p"), node("Not", "p", "b"), node("Cast", "b", to=1), c=single(0.1)
    ),
    "Where": then(node("Greater", "x c", "p"), node("Where", "p x c"), c=single(0.1)),
    "Where mask": held("Where", "m x c", m=np.array([1, 0, 1, 1, 0, 1], bool), c=single(-7.0)),
    # sums, products of matrices
    "MatMul": held("MatMul", "x w", w=weights(6, 3)),
    "MatMul left": held("MatMul", "w x", SEQUENCE, w=weights(2, 5)),
    "MatMul both": then(
        node("Transpose", "x", "t", perm=[0, 2, 1]), node("MatMul", "x t"), shape=SEQUENCE
    ),
    "Gemm": held("Gemm", "x w b", w=weights(6, 3), b=weights(3)),
    "Gemm turned": held(
        "Gemm",
        "x w b",
        attributes={"transB": 1, "alpha": 0.5, "beta": 2.0},
        w=weights(3, 6),
        b=weights(1, 3),
    ),
    "Gemm alone": held("Gemm", "x w", w=weights(6, 3)),
    "Gemm one": held("Gemm", "x w b", w=weights(6, 3), b=single(0.4)),
    "Einsum": held(
        "Einsum", "x w", SEQUENCE, attributes={"equation": "bij,jk->bik"}, w=weights(4, 3)
    ),
    **{
        f"{op} {old}": plain(op, SEQUENCE, opset=old, axes=[1], **keep)
        for op in (
            "ReduceMean",
            "ReduceMax",
            "ReduceMin",
            "ReduceL1",
            "ReduceL2",
            "ReduceProd",
            "ReduceSumSquare",
            "ReduceLogSumExp",
        )
        for old, keep in ((11, {}), (13, {"keepdims": 0}))
    },
    **{
        f"{op} 18": held(op, "x a", SEQUENCE, opset=18, attributes={"keepdims": 0}, a=whole(-1))
        for op in (
            "ReduceMean",
            "ReduceMax",
            "ReduceMin",
            "ReduceL1",
            "ReduceL2",
            "ReduceProd",
            "ReduceSumSquare",
            "ReduceLogSumExp",
            "ReduceSum",
        )
    },
    "ReduceSum 11": plain("ReduceSum", SEQUENCE, opset=11, axes=[1, 2]),
    "ReduceSum noop": plain("ReduceSum", noop_with_empty_axes=1),
    "ReduceLogSum": then(node("Exp", "x", "e"), node("ReduceLogSum", "e", axes=[1])),
    "ReduceMax two": plain("ReduceMax", PICTURE, axes=[2, 3], keepdims=0),
    "ReduceMax apart": plain("ReduceMax", PICTURE, axes=[1, 3]),
    "ArgMax": then(node("ArgMax", "x", "i", axis=1), node("Cast", "i", to=1)),
    "ArgMin last": then(
        node("ArgMin", "x", "i", axis=-1, keepdims=0, select_last_index=1), node("Cast", "i", to=1)
    ),
    "CumSum": held("CumSum", "x a", a=np.int64(1)),
    "CumSum back": held("CumSum", "x a", attributes={"reverse": 1, "exclusive": 1}, a=np.int64(1)),
    "TopK": then(node("TopK", "x k", "y i"), k=whole(3)),
    "TopK low": then(node("TopK", "x k", "v i", largest=0), node("Neg", "v"), k=whole(2)),
    # shapes
    "Reshape": held("Reshape", "x s", SEQUENCE, s=whole(0, -1)),
    "Reshape rows": held("Reshape", "x s", SEQUENCE, s=whole(-1, 2, 10)),
    "Reshape by Shape": then(
        node("Shape", "x", "s"),
        node("Gather", "s z", "n"),
        node("Unsqueeze", "n a", "m"),
        node("Concat", "m r", "t", axis=0),
        node("Reshape", "x t"),
        shape=SEQUENCE,
        z=np.int64(0),
        a=whole(0),
        r=whole(20),
    ),
    "Reshape mixed": then(
        node("Shape", "x", "s"),
        node("Slice", "s b e", "n"),
        node("Mul", "n f", "m"),
        node("Concat", "m r", "t", axis=0),
        node("Reshape", "x t", "h"),
        node("Relu", "h", "k"),
        node("Concat", "n q", "u", axis=0),
        node("Reshape", "k u"),
        shape=SEQUENCE,
        b=whole(0),
        e=whole(1),
        f=whole(5),
        r=whole(4),
        q=whole(20),
    ),
    "Flatten": plain("Flatten", PICTURE),
    "Flatten 2": then(
        node("Flatten", "x", "f", axis=2), node("Reshape", "f s"), shape=SEQUENCE, s=whole(-1, 20)
    ),
    "Flatten -1": then(
        node("Flatten", "x", "f", axis=-1), node("Reshape", "f s"), shape=SEQUENCE, s=whole(-1, 20)
    ),
    "Transpose": plain("Transpose", SEQUENCE, perm=[0, 2, 1]),
    "Squeeze old": then(
        node("Unsqueeze", "x", "u", axes=[1]),
        node("Relu", "u", "r"),
        node("Squeeze", "r", axes=[1]),
        opset=11,
    ),
    "Squeeze": then(
        node("Unsqueeze", "x a", "u"), node("Relu", "u", "r"), node("Squeeze", "r a"), a=whole(-1)
    ),
    "Squeeze all": then(node("Unsqueeze", "x a", "u"), node("Squeeze", "u"), a=whole(1, 3)),
    "Concat": then(node("Relu", "x", "r"), node("Concat", "x r x", axis=-1)),
    "Concat constant": then(
        node("Shape", "x", "s"),
        node("Slice", "s b e", "n"),
        node("Concat", "n o p", "t", axis=0),
        node("Expand", "c t", "k"),
        node("Concat", "k x", axis=1),
        shape=SEQUENCE,
        b=whole(0),
        e=whole(1),
        o=whole(1),
        p=whole(4),
        c=weights(1, 1, 4),
    ),
    "Split": then(node("Split", "x", "a b", axis=1), node("Sub", "a b"), opset=11),
    "Split parts": then(
        node("Split", "x s", "a b", axis=1), node("Concat", "b a", axis=1), s=whole(2, 4)
    ),
    "Split old": then(
        node("Split", "x", "a b", axis=-1, split=[1, 5]), node("Mul", "a b"), opset=11
    ),
    "Split 18": then(
        node("Split", "x", "a b c d", axis=1, num_outputs=4),
        node("Concat", "d a", axis=1),
        opset=18,
    ),
    "Slice old": plain("Slice", SEQUENCE, opset=9, starts=[1, 0], ends=[9999, -1], axes=[1, 2]),
    "Slice": held("Slice", "x s e a", SEQUENCE, s=whole(-3), e=whole(2**62), a=whole(1)),
    "Slice steps": held(
        "Slice", "x s e a t", SEQUENCE, s=whole(0, 3), e=whole(5, -9), a=whole(1, 2), t=whole(2, -1)
    ),
    "Gather": held("Gather", "x i", SEQUENCE, attributes={"axis": 1}, i=whole(4, 0, -1)),
    "Gather one": held("Gather", "x i", SEQUENCE, attributes={"axis": 1}, i=np.int64(-2)),
    "Gather table": held(
        "Gather", "x i", SEQUENCE, attributes={"axis": 2}, i=whole(1, 2, 3, 0).reshape(2, 2)
    ),
    "Gather by place": then(
        node("ArgMax", "x", "i", axis=1, keepdims=0), node("Gather", "w i"), w=weights(6, 3)
    ),
    "GatherElements": then(node("ArgMax", "x", "i", axis=1), node("GatherElements", "x i", axis=1)),
    "GatherND": then(
        node("Transpose", "x", "t"),
        node("GatherND", "t i", "g"),
        node("Transpose", "g"),
        i=whole(2, 0, 5).reshape(3, 1),
    ),
    "ScatterND": then(
        node("Transpose", "x", "t"),
        node("Gather", "t j", "k"),
        node("Neg", "k", "u"),
        node("ScatterND", "t i u", "g"),
        node("Transpose", "g"),
        i=whole(2, 0).reshape(2, 1),
        j=whole(1, 5),
    ),
    "ScatterElements": then(
        node("ArgMax", "x", "i", axis=1),
        node("Neg", "x", "n"),
        node("Slice", "n b e a", "u"),
        node("ScatterElements", "x i u", axis=1),
        b=whole(0),
        e=whole(1),
        a=whole(1),
    ),
    "Expand": then(
        node("Unsqueeze", "x a", "u"), node("Expand", "u s"), a=whole(1), s=whole(1, 3, 1)
    ),
    "Tile": held("Tile", "x r", r=whole(1, 3)),
    "Pad old": plain("Pad", PICTURE, opset=9, pads=[0, 0, 1, 2, 0, 0, 0, 1], value=0.5),
    "Pad": held("Pad", "x p v", PICTURE, p=whole(0, 1, 0, 2, 0, 0, 1, 0), v=single(-1.0)),
    "Pad less": held("Pad", "x p", PICTURE, p=whole(0, 0, -1, 1, 0, 0, -1, 0)),
    "Pad reflect": held(
        "Pad", "x p", PICTURE, attributes={"mode": "reflect"}, p=whole(0, 0, 1, 2, 0, 0, 1, 2)
    ),
    "Pad edge": held(
        "Pad", "x p", PICTURE, attributes={"mode": "edge"}, p=whole(0, 0, 1, 0, 0, 0, 0, 2)
    ),
    "Pad axes": then(node("Pad", "x p _ a"), shape=PICTURE, opset=18, p=whole(1, 2), a=whole(3)),
    "Size": then(
        node("Shape", "x", "s"),
        node("Size", "s", "n"),
        node("Cast", "n", "f", to=1),
        node("Div", "x f"),
    ),
    "Shape range": then(
        node("Shape", "x", "s", start=1),
        node("ConstantOfShape", "s", "o", value=helper.make_tensor("v", 1, [1], [2.5])),
        node("Mul", "x o"),
        opset=15,
    ),
    "ConstantOfShape rows": then(
        node("Shape", "x", "s"), node("ConstantOfShape", "s", "o"), node("Add", "x o")
    ),
    "Constants": then(
        node("Constant", "", "a", value_float=2.0),
        node("Constant", "", "b", value_floats=[1.0] * 6),
        node("Mul", "x a", "h"),
        node("Add", "h b"),
    ),
    "Range": then(
        node("Range", "a b c", "r"),
        node("Cast", "r", "f", to=1),
        node("Add", "x f"),
        a=np.int64(0),
        b=np.int64(12),
        c=np.int64(2),
    ),
    "OneHot": then(
        node("ArgMax", "x", "i", axis=1, keepdims=0),
        node("OneHot", "i d v"),
        d=np.int64(6),
        v=single([0.5, 2.0]),
    ),
    "EyeLike": then(node("EyeLike", "c", "e", k=1), node("MatMul", "x e"), c=weights(6, 6)),
    "Trilu": then(node("Trilu", "x"), shape=(4, 4)),
    "Trilu low": held("Trilu", "x k", (4, 4), attributes={"upper": 0}, k=np.int64(-1)),
    "DepthToSpace": plain("DepthToSpace", PICTURE, blocksize=2),
    "DepthToSpace CRD": plain("DepthToSpace", PICTURE, blocksize=2, mode="CRD"),
    "SpaceToDepth": plain("SpaceToDepth", (2, 4, 6), blocksize=2),
    "NonZero": then(
        node("NonZero", "c", "n"),
        node("Reshape", "n m", "i"),
        node("Gather", "x i", axis=1),
        c=single([0, 1, 0, 1, 1, 0]),
        m=whole(-1),
    ),
    # pictures
    "Conv": held("Conv", "x w b", PICTURE, w=weights(3, 4, 3, 3), b=weights(3)),
    "Conv set": held(
        "Conv",
        "x w",
        PICTURE,
        w=weights(6, 2, 3, 2),
        attributes={"group": 2, "pads": [1, 0, 2, 1], "strides": [2, 1], "dilations": [1, 2]},
    ),
    "Conv same upper": held(
        "Conv",
        "x w",
        PICTURE,
        w=weights(3, 4, 4, 4),
        attributes={"auto_pad": "SAME_UPPER", "strides": [2, 2]},
    ),
    "Conv same lower": held(
        "Conv", "x w", PICTURE, w=weights(3, 4, 2, 2), attributes={"auto_pad": "SAME_LOWER"}
    ),
    "Conv valid": held(
        "Conv", "x w", PICTURE, w=weights(3, 4, 2, 2), attributes={"auto_pad": "VALID"}
    ),
    "Conv 1": held(
        "Conv", "x w b", SEQUENCE, w=weights(3, 5, 3), b=weights(3), attributes={"pads": [1, 1]}
    ),
    "Conv 3": held("Conv", "x w", (2, 3, 4, 5), w=weights(3, 2, 2, 2, 2)),
    "ConvTranspose": held(
        "ConvTranspose",
        "x w b",
        PICTURE,
        w=weights(4, 3, 3, 3),
        b=weights(3),
        attributes={"strides": [2, 2], "pads": [1, 1, 0, 1], "output_padding": [1, 0]},
    ),
    "ConvTranspose group": held(
        "ConvTranspose",
        "x w",
        PICTURE,
        w=weights(4, 2, 2, 3),
        attributes={"group": 2, "dilations": [2, 1]},
    ),
    "ConvTranspose same": held(
        "ConvTranspose",
        "x w",
        PICTURE,
        w=weights(4, 2, 3, 3),
        attributes={"auto_pad": "SAME_UPPER", "strides": [2, 2]},
    ),
    "ConvTranspose shape": held(
        "ConvTranspose",
        "x w",
        PICTURE,
        w=weights(4, 2, 3, 3),
        attributes={"output_shape": [12, 14], "strides": [2, 2]},
    ),
    "ConvTranspose 1": held("ConvTranspose", "x w", SEQUENCE, w=weights(5, 2, 3)),
    "MaxPool": plain("MaxPool", PICTURE, kernel_shape=[2, 3], strides=[2, 1]),
    "MaxPool pads": plain(
        "MaxPool", PICTURE, kernel_shape=[3, 3], pads=[1, 1, 1, 1], strides=[2, 2]
    ),
    "MaxPool uneven": plain(
        "MaxPool", PICTURE, kernel_shape=[3, 3], pads=[0, 0, 1, 1], dilations=[1, 2]
    ),
    "MaxPool ceil": plain("MaxPool", PICTURE, kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1),
    "MaxPool same": plain(
        "MaxPool", PICTURE, kernel_shape=[3, 2], strides=[2, 2], auto_pad="SAME_UPPER"
    ),
    "MaxPool 1": plain("MaxPool", SEQUENCE, kernel_shape=[2], strides=[2]),
    "MaxPool 3": plain("MaxPool", (2, 4, 4, 4), kernel_shape=[2, 2, 2]),
    "AveragePool": plain("AveragePool", PICTURE, kernel_shape=[2, 3], strides=[2, 1]),
    "AveragePool pads": plain("AveragePool", PICTURE, kernel_shape=[3, 3], pads=[1, 0, 1, 1]),
    "AveragePool counted": plain(
        "AveragePool", PICTURE, kernel_shape=[3, 3], pads=[1, 1, 1, 1], count_include_pad=1
    ),
    "AveragePool ceil": plain(
        "AveragePool", PICTURE, opset=19, kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1
    ),
    "AveragePool same": plain(
        "AveragePool", PICTURE, kernel_shape=[3, 3], strides=[2, 2], auto_pad="SAME_LOWER"
    ),
    "AveragePool 1": plain("AveragePool", SEQUENCE, kernel_shape=[2]),
    "LpPool": plain("LpPool", PICTURE, kernel_shape=[2, 2], strides=[2, 2]),
    "GlobalAveragePool": plain("GlobalAveragePool", PICTURE),
    "GlobalMaxPool": plain("GlobalMaxPool", PICTURE),
    "GlobalLpPool": plain("GlobalLpPool", PICTURE),
    "Upsample": held("Upsample", "x s", PICTURE, opset=9, s=single([1, 1, 2, 2])),
    "Upsample old": plain("Upsample", PICTURE, opset=8, scales=[1.0, 1.0, 2.0, 3.0]),
    "Resize 10": held("Resize", "x s", PICTURE, opset=10, s=single([1, 1, 2, 1.5])),
    **{
        f"Resize {mode} {how}": then(
            node("Resize", "x _ s", mode=mode, coordinate_transformation_mode=how),
            shape=PICTURE,
            s=single([1, 1, 2, 0.6]),
        )
        for mode in ("nearest", "linear", "cubic")
        for how in ("half_pixel", "align_corners", "asymmetric", "pytorch_half_pixel")
    },
    "Resize floor": then(
        node(
            "Resize",
            "x _ s",
            mode="nearest",
            nearest_mode="floor",
            coordinate_transformation_mode="asymmetric",
        ),
        shape=PICTURE,
        s=single([1, 1, 2, 2]),
    ),
    "Resize sizes": then(
        node("Shape", "x", "h"),
        node("Slice", "h b e", "n"),
        node("Concat", "n t", "s", axis=0),
        node("Resize", "x _ _ s", mode="linear"),
        shape=PICTURE,
        b=whole(0),
        e=whole(2),
        t=whole(9, 5),
    ),
    "Resize axes": then(
        node("Resize", "x _ s", mode="linear", axes=[2, 3]),
        shape=PICTURE,
        opset=18,
        s=single([2, 2]),
    ),
    "Resize outside": then(
        node("Resize", "x _ s", mode="cubic", exclude_outside=1),
        shape=PICTURE,
        s=single([1, 1, 2, 2]),
    ),
    # normalisations
    "BatchNormalization": held(
        "BatchNormalization",
        "x s b m v",
        PICTURE,
        s=weights(4),
        b=weights(4),
        m=weights(4),
        v=weights(4) ** 2 + 1,
    ),
    "BatchNormalization flat": held(
        "BatchNormalization",
        "x s b m v",
        s=weights(6),
        b=weights(6),
        m=weights(6),
        v=weights(6) ** 2 + 1,
        attributes={"epsilon": 0.1},
    ),
    "InstanceNormalization": held(
        "InstanceNormalization", "x s b", PICTURE, s=weights(4), b=weights(4)
    ),
    "LayerNormalization": held("LayerNormalization", "x s b", SEQUENCE, s=weights(4), b=weights(4)),
    "LayerNormalization axis": held(
        "LayerNormalization", "x s", SEQUENCE, s=weights(5, 4), attributes={"axis": 1}
    ),
    "GroupNormalization 18": held(
        "GroupNormalization",
        "x s b",
        PICTURE,
        opset=18,
        s=weights(2),
        b=weights(2),
        attributes={"num_groups": 2},
    ),
    "GroupNormalization 21": held(
        "GroupNormalization",
        "x s b",
        PICTURE,
        opset=21,
        s=weights(4),
        b=weights(4),
        attributes={"num_groups": 2},
    ),
    "LRN": plain("LRN", PICTURE, size=3, alpha=0.2, beta=0.6, bias=1.5),
    "LpNormalization": plain("LpNormalization", SEQUENCE, axis=1, p=1),
    "LpNormalization 2": plain("LpNormalization", SEQUENCE),
    "MeanVarianceNormalization": plain("MeanVarianceNormalization", PICTURE, axes=[2, 3]),
    # recurrent layers
    **{
        f"{op} {way}": then(
            node("Transpose", "x", "t", perm=[1, 0, 2]),
            node(op, "t w r b", "a h", hidden_size=3, direction=way, **more),
            node("Transpose", "a", perm=[2, 1, 0, 3]),
            shape=SEQUENCE,
            w=weights(n, 3 * k, 4),
            r=weights(n, 3 * k, 3),
            b=weights(n, 6 * k),
        )
        for op, k in (("RNN", 1), ("GRU", 3), ("LSTM", 4))
        for way, n, more in (("forward", 1, {}), ("bidirectional", 2, {}), ("reverse", 1, {}))
    },
    "GRU reset": then(
        node("Transpose", "x", "t", perm=[1, 0, 2]),
        node("GRU", "t w r b", "_ h", hidden_size=3, linear_before_reset=1),
        node("Transpose", "h", perm=[1, 0, 2]),
        shape=SEQUENCE,
        w=weights(1, 9, 4),
        r=weights(1, 9, 3),
        b=weights(1, 18),
    ),
    "LSTM state": then(
        node("Shape", "x", "s"),
        node("Slice", "s b0 e0", "n"),
        node("Concat", "o n k", "m", axis=0),
        node("Expand", "z m", "i"),
        node("Transpose", "x", "t", perm=[1, 0, 2]),
        node("LSTM", "t w r b _ i i", "_ h c", hidden_size=3),
        node("Concat", "h c", "j", axis=2),
        node("Squeeze", "j o0"),
        shape=SEQUENCE,
        b0=whole(0),
        e0=whole(1),
        o=whole(1),
        k=whole(3),
        o0=whole(0),
        z=single([[[0.3]]]),
        w=weights(1, 12, 4),
        r=weights(1, 12, 3),
        b=weights(1, 24),
    ),
    # ai.onnx.ml
    "Scaler one": plain("Scaler", domain=ML, offset=[0.5], scale=[2.0]),
    "Scaler": plain("Scaler", domain=ML, offset=[0.1, 0.2, 0.3, 0.4, 0.5, 0.6], scale=[2.0] * 6),
    "Normalizer L1": plain("Normalizer", domain=ML, norm="L1"),
    "Normalizer L2": plain("Normalizer", domain=ML, norm="L2"),
    "Normalizer MAX": then(node("Abs", "x", "a"), node("Normalizer", "a", domain=ML, norm="MAX")),
    "LinearRegressor": plain(
        "LinearRegressor",
        domain=ML,
        targets=2,
        coefficients=weights(12).tolist(),
        intercepts=[0.1, 0.2],
    ),
    "Imputer": plain(
        "Imputer", domain=ML, imputed_value_floats=[0.5], replaced_value_float=float("nan")
    ),
    "FeatureVectorizer": then(node("FeatureVectorizer", "x x", domain=ML, inputdimensions=[6, 6])),
    "Binarizer": plain("Binarizer", domain=ML, threshold=0.3),
    "ArrayFeatureExtractor": held("ArrayFeatureExtractor", "x i", domain=ML, i=whole(4, 1)),
    **{
        f"LinearClassifier {how}": then(
            node(
                "LinearClassifier",
                "x",
                "l y",
                domain=ML,
                classlabels_ints=[0, 1, 2],
                coefficients=weights(18).tolist(),
                intercepts=[0.1, 0.2, 0.3],
                post_transform=how,
            )
        )
        for how in ("NONE", "SOFTMAX", "LOGISTIC")
    },
    "OneHotEncoder": then(
        node("Abs", "x", "a"),
        node("ArrayFeatureExtractor", "x i", "k", domain=ML),
        node("Cast", "k", "c", to=7),
        node("OneHotEncoder", "c", "o", domain=ML, cats_int64s=[-1, 0, 1, 2]),
        node("Reshape", "o s", "f"),
        node("Concat", "f a", axis=1),
        i=whole(2),
        s=whole(-1, 4),
    ),
}
CASES |= {
    "Swish": plain("Swish", opset=24),
    "RMSNormalization": held("RMSNormalization", "x s", SEQUENCE, opset=23, s=weights(4)),
}


@pytest.mark.parametrize("name", CASES)
def test_an_operator_answers_as_onnxruntime_does(name, tmp_path):
    exported, shape = CASES[name]
    expected, made, _ = translated(tmp_path / "m.onnx", exported, shape)
    size = max(1.0, np.abs(expected[np.isfinite(expected)]).max(initial=0.0))
    assert made.shape == expected.shape
    assert made == pytest.approx(expected, abs=1e-5 * size, nan_ok=True)


def test_every_operator_has_a_case():
    used = {
        (one.domain, one.op_type) for exported, _ in CASES.values() for one in exported.graph.node
    }
    missing = set(OPERATORS) - used
    assert missing == {(ML, "ZipMap")}

"""A tiny convolution as the bytes of an ONNX file, written field by field."""

import numpy as np

FLOAT = 1


def varint(value):
    out = b""
    while True:
        value, low = value >> 7, value & 127
        out += bytes([low | (128 if value else 0)])
        if not value:
            return out


def field(number, value):
    """Return one field: a number, or bytes and text with their length."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    data = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(data)) + data


def tensor_type(name, shape, kind=FLOAT):
    dims = b"".join(field(1, field(1, n) if isinstance(n, int) else field(2, n)) for n in shape)
    return field(1, name) + field(2, field(1, field(1, kind) + field(2, dims)))


def tensor(name, array):
    array = np.asarray(array, np.float32)
    dims = b"".join(field(1, n) for n in array.shape)
    return dims + field(2, FLOAT) + field(8, name) + field(9, array.tobytes())


def node(kind, inputs, output, **ints):
    made = b"".join(field(1, name) for name in inputs) + field(2, output) + field(4, kind)
    for name, values in ints.items():
        made += field(5, field(1, name) + b"".join(field(8, v) for v in values) + field(20, 7))
    return made


def convolution(weights, bias, shape, *, outputs=None, sigmoid=True, kind=FLOAT):
    """Return a net of one convolution with zeros beyond its window, and a sigmoid."""
    weights = np.asarray(weights, np.float32)
    pad = weights.shape[2] // 2
    out = outputs or (shape[0], weights.shape[0], *shape[2:])
    nodes = node("Conv", ["x", "w", "b"], "sum" if sigmoid else "y", pads=[pad] * 4)
    graph = field(1, nodes)
    if sigmoid:
        graph += field(1, node("Sigmoid", ["sum"], "y"))
    graph += field(2, "tiny") + field(5, tensor("w", weights)) + field(5, tensor("b", bias))
    graph += field(11, tensor_type("x", shape, kind)) + field(12, tensor_type("y", out))
    return field(1, 8) + field(7, graph) + field(8, field(1, "") + field(2, 13))

#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Makes the ONNX files of this directory and what they compute. Not run by the build or by CI: see README.md."""
import json
import os
import sys

import numpy as np
import onnx
import torch
from torch import nn

HERE = os.path.dirname(os.path.abspath(__file__))
FEATURES = 12
CASES = 48


class Chain(nn.Module):
    """A model as people write them: layers in a sequence, weights drawn by the seed."""

    def __init__(self, *layers):
        super().__init__()
        self.layers = nn.Sequential(*layers)

    def forward(self, features):
        return self.layers(features)


class Products(nn.Module):
    """Weights as bare matrices: MatMul and Add instead of Gemm."""

    def __init__(self):
        super().__init__()
        self.w1 = nn.Parameter(torch.randn(FEATURES, 24) * 0.3)
        self.b1 = nn.Parameter(torch.randn(24) * 0.2)
        self.w2 = nn.Parameter(torch.randn(24, 1) * 0.1)
        self.b2 = nn.Parameter(torch.randn(1) * 0.1)

    def forward(self, features):
        return torch.relu(features @ self.w1 + self.b1) @ self.w2 + self.b2


def mlp(*widths, activation=nn.ReLU):
    layers = []
    for i in range(len(widths) - 1):
        layers.append(nn.Linear(widths[i], widths[i + 1]))
        if i + 2 < len(widths):
            layers.append(activation())
    return layers


def models():
    yield "mlp-12-16-8-1", lambda: Chain(*mlp(FEATURES, 16, 8, 1))
    yield "mlp-12-64-48-32-1", lambda: Chain(nn.Flatten(), *mlp(FEATURES, 64, 48, 32, 1), nn.Identity())
    yield "hardsigmoid-12-20-1", lambda: Chain(*mlp(FEATURES, 20, 1, activation=nn.Hardsigmoid))
    yield "matmul-12-24-1", Products
    yield "linear-12-1", lambda: Chain(*mlp(FEATURES, 1))


def export(model, path, dynamo):
    example = torch.zeros(1, FEATURES)
    if dynamo:
        torch.onnx.export(model, (example,), path, dynamo=True, external_data=False, input_names=["features"],
                          output_names=["octaves"], dynamic_shapes=({0: "batch"},))
    else:
        torch.onnx.export(model, (example,), path, dynamo=False, opset_version=17, input_names=["features"],
                          output_names=["octaves"], dynamic_axes={"features": {0: "batch"}, "octaves": {0: "batch"}})


def strip(path):
    """What exporters note about the machine and the code that ran them."""
    model = onnx.load(path)
    model.doc_string = ""
    del model.metadata_props[:]
    graph = model.graph
    graph.doc_string = ""
    for thing in list(graph.node) + list(graph.value_info) + list(graph.input) + list(graph.output) + list(graph.initializer):
        thing.doc_string = ""
        if hasattr(thing, "metadata_props"):
            del thing.metadata_props[:]
    onnx.checker.check_model(model)
    onnx.save(model, path)


def main():
    torch.use_deterministic_algorithms(True)
    inputs = np.random.default_rng(5).integers(-127, 128, size=(CASES, FEATURES)).astype(np.float32) / 32
    inputs[0] = 0
    for seed, (name, make) in enumerate(models()):
        torch.manual_seed(seed)
        model = make().eval()
        with torch.no_grad():
            outputs = model(torch.from_numpy(inputs)).double().numpy().reshape(-1)
        with open(os.path.join(HERE, name + ".json"), "w", encoding="ascii") as file:
            json.dump({"torch": torch.__version__.split("+")[0], "onnx": onnx.__version__,
                       "cases": [{"in": [float(x) for x in row], "out": round(float(out), 7)} for row, out in zip(inputs, outputs)]}, file)
            file.write("\n")
        for dynamo in (False, True):
            path = os.path.join(HERE, name + (".dynamo" if dynamo else ".script") + ".onnx")
            export(model, path, dynamo)
            strip(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())

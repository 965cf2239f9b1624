"""Arrays and tensors are frozen by whatever takes them; in a process of its own, as the tests' type checks are stricter."""

from __future__ import annotations

import subprocess
import sys

CODE = """
import numpy as np, torch
from phosphene import Channel, objectives as o, regularizers as r
from phosphene._types import FrozenArray
for make in (np.asarray, torch.tensor, list):
    cube, table = make([[[1.0, 2.0]]]), make([[1.0]])
    values = [
        o.Inversion("a", cube).target, o.Caricature("a", cube).target, o.TensorDirection("a", cube).target,
        o.ActivationDifference("a", cube).target, o.InvertedRepresentation("a", cube).target,
        o.Guide("a", table).features, o.Style("a", table).matrix, o.InputDifference(cube).image,
        o.LocalGroup("a", make([1.0, 2.0])).weights, r.BoundaryComplexity(mask=table).mask,
        o.Accentuation(Channel("a", 0), "a", cube).image,
    ]
    assert all(type(v) is FrozenArray for v in values), values
    assert {v.shape for v in values} == {(1, 1, 2), (1, 1), (2,)}
for kind, field, value in ((o.Caricature, "cosine", "x"), (o.ActivationDifference, "norm", "x"), (o.Style, "norm", "x")):
    try:
        kind("a", [[1.0]], **{field: value})
    except ValueError as error:
        assert f"{field} is 'x'" in str(error), error
    else:
        raise AssertionError(kind)
try:
    o.Accentuation(Channel("a", 0), "a", [[[1.0]]], distance="x")
except ValueError as error:
    assert "distance is 'x'" in str(error), error
else:
    raise AssertionError("distance")
print("frozen")
"""


def test_arrays_tensors_and_lists_are_frozen():
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "frozen", done.stderr

"""Places on the plane: fitted as the literature does it, alike for like vectors."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from phosphene.atlas.activations import UMAP, Principal
from phosphene.atlas.activations.layout import fitted
from phosphene.errors import MissingExtraError, ParameterError


def literal(points: np.ndarray) -> np.ndarray:
    """Axis by axis: a tenth of the range beyond percentiles 1 and 99, cut, and stretched to [0, 1]."""
    columns = []
    for axis in range(2):
        values = points[:, axis]
        low, high = np.percentile(values, 1), np.percentile(values, 99)
        room = 0.1 * (high - low)
        cut = [min(max(v, low - room), high + room) for v in values]
        columns.append([(v - min(cut)) / (max(cut) - min(cut)) for v in cut])
    return np.array(columns).T


def test_places_are_fitted_as_written() -> None:
    points = np.random.default_rng(0).normal(size=(1000, 2)) * [3, 40] + [7, -2]
    points[0], points[1] = [1e6, 0], [0, -1e6]
    found = fitted(points)
    assert np.allclose(found, literal(points))
    assert found.min() == 0
    assert found.max() == 1
    assert found[0, 0] == 1, "what lies far out is moved to the edge"
    assert found[1, 1] == 0


def test_fitting_keeps_the_order_along_each_axis_and_does_not_see_units() -> None:
    points = np.random.default_rng(1).random((200, 2))
    assert np.allclose(fitted(1000 * points - 5), fitted(points))
    inside = fitted(points)
    assert np.array_equal(np.argsort(inside[:, 0], kind="stable"), np.argsort(points[:, 0], kind="stable"))


def test_equal_places_lie_in_the_middle() -> None:
    assert fitted(np.full((9, 2), 3.0)).tolist() == [[0.5, 0.5]] * 9


def test_principal_places_are_the_scores_of_a_principal_component_analysis() -> None:
    vectors = np.random.default_rng(0).normal(size=(300, 6)).astype(np.float32) * [4, 3, 1, 1, 0.5, 0.1]
    units = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    centred = units - units.mean(0)
    left, values, _ = np.linalg.svd(centred, full_matrices=False)
    assert np.allclose(
        np.abs(Principal().places(vectors.astype(np.float32), 0)), np.abs(left[:, :2] * values[:2]), atol=1e-5
    )


def test_principal_places_of_silent_vectors_are_finite() -> None:
    assert np.isfinite(Principal().places(np.zeros((12, 3), np.float32), 0)).all()


@pytest.mark.parametrize(("wrong", "said"), [({"n_neighbors": 1}, "n_neighbors"), ({"min_dist": 1.5}, "min_dist")])
def test_settings_of_umap_out_of_range_are_refused(wrong: dict[str, float], said: str) -> None:
    with pytest.raises(ParameterError, match=said):
        UMAP(**wrong)


def test_without_umap_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "umap", None)
    with pytest.raises(MissingExtraError, match=r"layout of an activation atlas needs the extra 'umap'"):
        UMAP().places(np.ones((20, 3), np.float32), 0)
    with pytest.raises(MissingExtraError, match=r"needs the extra 'umap'"):
        UMAP().require()  # before photographs are shown


def test_layouts_say_what_they_are() -> None:
    assert str(UMAP()) == "UMAP of 50 neighbours, least distance 0.05, cosine"
    assert str(Principal()) == "the first two principal components of the directions"


@pytest.mark.slow
def test_umap_keeps_like_directions_together_and_repeats_itself() -> None:
    pytest.importorskip("umap")
    draw = np.random.default_rng(0)
    centres = np.eye(3, 16) * 10
    kind = np.repeat([0, 1, 2], 40)
    lengths = draw.uniform(1, 9, (120, 1))
    vectors = ((centres[kind] + draw.normal(size=(120, 16))) * lengths).astype(np.float32)
    layout = UMAP(n_neighbors=15)
    places = layout.places(vectors, 3)
    assert np.array_equal(places, layout.places(vectors, 3))
    distances = np.linalg.norm(places[:, None] - places[None], axis=2) + np.diag(np.full(120, np.inf))
    assert (kind[distances.argmin(1)] == kind).all()
    few = UMAP().places(vectors[:10], 0)
    assert few.shape == (10, 2)
    assert np.isfinite(few).all(), "fewer vectors than neighbours"

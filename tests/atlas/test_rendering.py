"""Rows: the pictures are those of ``ph.render``, the scores the units' own answers, and what cannot be rendered says why."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from atlas_rigs import awkward_net, manifest_of
from networks import activations, conv_net, token_net, wrapped
from torch import nn

import phosphene as ph
from phosphene.atlas.asking import balanced, differing_layer
from phosphene.atlas.jobs import Job, jobs
from phosphene.atlas.rendering import Renderer
from phosphene.atlas.rows import Row, curve_of, reason_of, status_of
from phosphene.render.display import to_uint8
from phosphene.store.atlas import Manifest

CPU = torch.device("cpu")


def rendered(net: ph.Network, manifest: Manifest) -> dict[tuple[str, int, str, int, int], Row]:
    renderer = Renderer(net, manifest, CPU)
    try:
        rows = [row for job in jobs(manifest) for row in renderer.rows(job)]
    finally:
        renderer.close()
    return {(r.picture.layer, r.picture.unit, r.picture.variant, r.picture.member, r.picture.seed): r for r in rows}


@pytest.fixture(scope="module")
def found() -> tuple[ph.Network, Manifest, dict[Any, Row]]:
    net = conv_net()
    manifest = manifest_of(
        net,
        layers=["conv2", "classifier"],
        units={"conv2": [1, 2, 4], "classifier": [2]},
        negative=True,
        diversity=2,
        seeds=[3, 5],
    )
    return net, manifest, rendered(net, manifest)


def pixels(result: ph.Result) -> np.ndarray[Any, Any]:
    return to_uint8(result.images[0])


@pytest.mark.parametrize(
    ("layer", "unit", "variant"), [("conv2", 4, "positive"), ("conv2", 1, "negative"), ("classifier", 2, "positive")]
)
@pytest.mark.parametrize("seed", [3, 5])
def test_company_does_not_matter_and_pictures_are_those_of_render(
    found: Any, layer: str, unit: int, variant: str, seed: int
) -> None:
    net, manifest, rows = found
    wanted = ph.Logit(unit) if layer == "classifier" else ph.Channel(layer, unit)
    digest = next(one.recipe for one in manifest.layers if one.name == layer)
    recipe = ph.Recipe.from_json(manifest.recipes[digest])
    alone = ph.render(net, -wanted if variant == "negative" else wanted, recipe=recipe, seed=seed, progress=False)
    row = rows[layer, unit, variant, 0, seed]
    assert np.abs(row.pixels.astype(int) - pixels(alone)).max() <= 1
    sign = -1 if variant == "negative" else 1
    assert row.picture.score == pytest.approx(sign * float(alone.final_scores[0]), rel=1e-4, abs=1e-5)
    assert row.picture.robust_score == pytest.approx(sign * float(alone.robust_scores[0]), rel=1e-4, abs=1e-5)
    assert row.picture.curve == pytest.approx(tuple(sign * alone.scores[0].numpy()), rel=1e-4, abs=1e-5)


@pytest.mark.parametrize("variant", ["positive", "negative", "diverse"])
def test_the_score_is_the_units_own_answer_to_the_clean_picture(found: Any, variant: str) -> None:
    from phosphene.functional.random import Streams
    from phosphene.transforms import ToInput, ViewPipeline, ViewPlan

    net, _, rows = found
    for (layer, unit, of, _, _), row in rows.items():
        if of == variant and layer == "conv2":
            image = torch.from_numpy(row.pixels.copy()).permute(2, 0, 1)[None].float() / 255
            plan = ViewPlan((12, 12), Streams(("a",), 0, CPU), 1, net.input_size, fixed_size=not net.any_size)
            view = ViewPipeline((ToInput(),), plan).look(0)(image)
            answer = float(activations(net, layer, view)[0, unit].mean())
            # The picture was rounded to eight bits since.
            assert row.picture.score == pytest.approx(answer, abs=2e-3)


def test_the_most_is_more_than_the_least(found: Any) -> None:
    _, _, rows = found
    for unit in (1, 2, 4):
        assert rows["conv2", unit, "positive", 0, 3].picture.score > rows["conv2", unit, "negative", 0, 3].picture.score


def test_diverse_pictures_are_those_of_the_recipe_balanced_by_the_score_alone(found: Any) -> None:
    net, manifest, rows = found
    recipe = ph.Recipe.from_json(next(iter(manifest.recipes.values())))
    unit = next(u for u in (1, 2, 4) if rows["conv2", u, "positive", 0, 3].picture.score > 0.01)
    (weight,) = balanced(torch.tensor([rows["conv2", unit, "positive", 0, 3].picture.score]), 1.0)
    pair = ph.recipes.diversity(
        net, ph.Channel("conv2", unit), n=2, weight=weight, recipe=recipe, seed=3, progress=False
    )
    for member in range(2):
        made = rows["conv2", unit, "diverse", member, 3].pixels
        assert np.abs(made.astype(int) - to_uint8(pair.images[member])).max() <= 1
    first, second = (rows["conv2", unit, "diverse", m, 3].pixels.astype(int) for m in range(2))
    assert np.abs(first - second).max() > 8


def test_classes_must_differ_where_there_are_positions() -> None:
    net = conv_net()
    layers = {layer.name: layer for layer in manifest_of(net).layers}
    assert differing_layer(net, layers["conv2"]) == "conv2"
    assert differing_layer(net, layers["classifier"]) == "pool"


def test_pictures_differ_as_much_as_the_unit_gives_and_silent_units_not_at_all() -> None:
    assert balanced(torch.tensor([0.123456, -2.0, torch.nan, 8.0]), 2.0) == [0.247, 0.0, 0.0, 16.0]


@pytest.fixture(scope="module")
def apart() -> dict[int, np.ndarray[Any, Any]]:
    """Pictures of the good units of the awkward network, as ``ph.render`` makes them."""
    net = awkward_net()
    recipe = ph.Recipe.from_json(next(iter(manifest_of(net, layers=["unit"]).recipes.values())))
    return {unit: pixels(ph.render(net, ph.Channel("unit", unit), recipe=recipe, progress=False)) for unit in (0, 4, 5)}


@pytest.mark.parametrize("together", [4, 6, 1])
def test_what_cannot_be_rendered_is_a_row_that_says_why_and_spares_the_others(
    apart: dict[int, np.ndarray[Any, Any]], together: int
) -> None:
    net = awkward_net()
    rows = rendered(net, manifest_of(net, layers=["unit"], batch_size=together))
    status = [rows["unit", k, "positive", 0, 0].picture.status for k in range(6)]
    assert status == ["ok", "dead", "failed", "not_finite", "ok", "ok"]
    failed = rows["unit", 2, "positive", 0, 0]
    assert failed.picture.reason == "RuntimeError: channel 2 has no gradient"
    assert (failed.pixels, failed.picture.score, failed.picture.curve) == (None, None, ())
    assert (failed.picture.height, failed.picture.width) == (12, 12)
    assert "exactly zero" in rows["unit", 1, "positive", 0, 0].picture.reason
    assert rows["unit", 1, "positive", 0, 0].pixels is None  # nothing but noise
    wrong = rows["unit", 3, "positive", 0, 0].picture
    assert "not finite" in wrong.reason
    assert wrong.score is None
    for unit, alone in apart.items():
        assert np.abs(rows["unit", unit, "positive", 0, 0].pixels.astype(int) - alone).max() <= 1


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_a_caller_without_gradients_gets_the_same_rows(mode: Any) -> None:
    net = conv_net()
    manifest = manifest_of(net, layers=["conv1"], units=[0], diversity=2)
    free = rendered(net, manifest)
    with mode():
        rows = rendered(net, manifest)
    for key, row in free.items():
        assert replace(rows[key].picture, seconds=0.0) == replace(row.picture, seconds=0.0)
        assert np.array_equal(rows[key].pixels, row.pixels)


def test_a_group_of_diverse_pictures_fails_as_one() -> None:
    net = awkward_net()
    rows = rendered(net, manifest_of(net, layers=["unit"], units=[0, 2], diversity=2, batch_size=4))
    diverse = {(unit, member): row.picture.status for (_, unit, of, member, _), row in rows.items() if of == "diverse"}
    # What must differ is the whole layer, channel 2 among it.
    assert diverse == dict.fromkeys([(0, 0), (0, 1), (2, 0), (2, 1)], "failed")
    assert rows["unit", 0, "positive", 0, 0].picture.status == "ok"


def test_a_broken_device_is_no_fault_of_the_units(monkeypatch: pytest.MonkeyPatch) -> None:
    from phosphene.atlas import rendering

    def gone(device: object) -> object:
        raise RuntimeError("the device is gone")

    monkeypatch.setattr(rendering, "usable_device", gone)
    net = awkward_net()
    renderer = Renderer(net, manifest_of(net, layers=["unit"]), CPU)
    with pytest.raises(RuntimeError, match="channel 2 has no gradient"):
        renderer.rows(next(jobs(manifest_of(net, layers=["unit"]))))
    renderer.close()


def test_an_interrupt_leaves_no_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    from phosphene.atlas import rendering

    real = rendering.run_batch

    def cut_off(*args: Any, **kwargs: Any) -> Any:
        from dataclasses import replace

        return replace(real(*args, **kwargs), interrupted=True)

    net = conv_net()
    manifest = manifest_of(net, layers=["conv1"])
    renderer = Renderer(net, manifest, CPU)
    monkeypatch.setattr(rendering, "run_batch", cut_off)
    with pytest.raises(KeyboardInterrupt):
        renderer.rows(next(jobs(manifest)))
    with pytest.raises(KeyboardInterrupt):
        renderer.result(next(jobs(manifest)), next(jobs(manifest)).pictures[0])
    renderer.close()


def test_nothing_is_left_on_the_network_and_no_random_state_is_touched(found: Any) -> None:
    net = found[0]
    state = torch.get_rng_state()
    before = {name: p.clone() for name, p in net.module.named_parameters()}
    rendered(net, manifest_of(net, layers=["conv1"]))
    assert torch.equal(torch.get_rng_state(), state)
    assert all(
        torch.equal(p, before[name]) and p.grad is None and p.requires_grad for name, p in net.module.named_parameters()
    )
    assert not any(module._forward_hooks for module in net.module.modules())


def test_pictures_alike_lie_together(found: Any) -> None:
    _, _, rows = found

    def cosine(a: Any, b: Any) -> float:
        one, two = (np.array(rows[key].picture.embedding) for key in (a, b))
        assert one.shape == two.shape == (64,)
        return float(one @ two / np.linalg.norm(one) / np.linalg.norm(two))

    same = cosine(("conv2", 4, "positive", 0, 3), ("conv2", 4, "positive", 0, 5))
    other = cosine(("conv2", 4, "positive", 0, 3), ("conv2", 4, "negative", 0, 3))
    assert same > 0.9 > other


def test_an_embedding_is_the_standardised_answer_of_the_layer() -> None:
    """With no more channels than numbers: sign · log(1 + |z|), by hand."""
    from phosphene.atlas.embedding import Embedding
    from phosphene.functional.random import Streams
    from phosphene.models.prepare import prepare
    from phosphene.render import channel_recipe

    net = conv_net(size=(12, 12))
    recipe, images = channel_recipe(12, 12), torch.rand(2, 3, 12, 12, generator=torch.Generator().manual_seed(1))
    with prepare(net, ["conv2"]) as forward:
        got = Embedding(net, "conv2", forward, recipe=recipe, device=CPU).of(images)
    streams = Streams(tuple(f"reference {i}" for i in range(16)), 0, CPU)
    noise = (
        recipe.parameterization.build(16, streams.fork("start"), device=CPU, dtype=torch.float32)().detach().clamp(0, 1)
    )
    reference = activations(net, "conv2", noise).mean((2, 3))
    spread = reference.std(0)
    z = (activations(net, "conv2", images).mean((2, 3)) - reference.mean(0)) / (spread + 0.1 * spread.mean())
    want = z.sign() * (1 + z.abs()).log()
    assert np.array(got)[:, :6] == pytest.approx(want.numpy(), abs=1e-3)
    assert not np.array(got)[:, 6:].any()


@pytest.mark.parametrize(
    "make",
    [lambda: conv_net(1), lambda: conv_net(2), token_net, lambda: conv_net(4)],
    ids=["grey", "two", "tokens", "four"],
)
def test_other_channels_and_layouts_get_pictures(make: Any) -> None:
    net = make()
    rows = rendered(
        net,
        manifest_of(
            net,
            units=[0],
            size=None,
            recipe=ph.Recipe(parameterization=ph.Pixels(*net.input_size, channels=net.n_channels), steps=2),
        ),
    )
    assert {row.picture.status for row in rows.values()} == {"ok"}
    assert {row.pixels.shape[2] for row in rows.values()} == {1 if net.n_channels == 1 else 3}
    assert {row.pixels.shape[:2] for row in rows.values()} == {net.input_size}


def test_channels_beyond_sixty_four_are_projected() -> None:
    net = wrapped(nn.Sequential(nn.Conv2d(3, 70, 1)), size=(12, 12))
    rows = rendered(net, manifest_of(net, layers=["0"], units=[0, 69]))
    first, last = (np.array(rows["0", unit, "positive", 0, 0].picture.embedding) for unit in (0, 69))
    assert first.shape == (64,)
    assert first.all()
    assert not np.allclose(first, last)


def test_a_curve_has_128_scores_at_most_the_first_and_last_among_them() -> None:
    assert curve_of([1.0, 2.0, 3.0]) == (1.0, 2.0, 3.0)
    long = curve_of([float(i) for i in range(1000)])
    assert (len(long), long[0], long[-1]) == (128, 0.0, 999.0)
    assert list(long) == sorted(set(long))
    assert curve_of([1.0, 2.0, float("nan"), 4.0]) == (1.0, 2.0)
    assert curve_of([float("inf")]) == curve_of([]) == ()


def test_the_engines_sentences_become_statuses() -> None:
    assert status_of("ok, after 2 restarts: the gradient was zero") == ("ok", "after 2 restarts: the gradient was zero")
    assert status_of("dead: no gradient") == ("dead", "no gradient")
    assert status_of("stopped at step 3: not finite") == ("not_finite", "stopped at step 3: not finite")
    assert reason_of(ValueError("a\n b " + "c" * 900)).startswith("ValueError: a b ccc")
    assert len(reason_of(ValueError("c" * 900))) == 400
    assert reason_of(MemoryError()) == "MemoryError"


def test_a_job_says_what_it_asks(found: Any) -> None:
    _, manifest, _ = found
    kinds = [(job.variant, job.seed) for job in jobs(manifest) if job.layer == "conv2"]
    assert isinstance(next(jobs(manifest)), Job)
    assert list(dict.fromkeys(kinds)) == [
        ("positive", 3),
        ("positive", 5),
        ("negative", 3),
        ("negative", 5),
        ("diverse", 3),
    ]

"""Images that cannot go on, and everything around the loop that can fail."""

from __future__ import annotations

import pytest
import torch
from networks import (
    SIZE,
    conv_module,
    conv_net,
    dead_net,
    linear_net,
    quick,
    random_images,
    seeded,
    wrapped,
)
from torch import nn

import phosphene as ph
from phosphene import objectives, optimizers
from phosphene.errors import ArgumentError, ImageError, ParameterError, UnitRangeError
from phosphene.models.prepare import prepare

UNITS = [ph.Channel("conv2", 1), ph.Channel("conv2", 2), ph.Channel("conv2", 4)]


class Poison(torch.autograd.Function):
    """The identity; where asked, the first row's score or gradient is not a number."""

    @staticmethod
    def forward(ctx, values, where, row):
        ctx.poisoned = where == "gradient", row
        out = values.clone()
        if where == "score":
            out[row] = float("nan")
        elif where == "infinite":
            out[row] = float("inf")
        return out

    @staticmethod
    def backward(ctx, gradient):
        on, row = ctx.poisoned
        gradient = gradient.clone()
        if on:
            gradient[row] = float("nan")
        return gradient, None, None


def poison(where, row, first_call):
    """A transform that spoils one image from one call on."""
    calls = []

    def spoil(views):
        calls.append(1)
        return Poison.apply(views, where, row) if len(calls) >= first_call else views

    return spoil


@pytest.mark.parametrize("where", ["score", "gradient", "infinite"])
@pytest.mark.parametrize(
    "optimizer",
    [optimizers.Adam(), optimizers.momentum(), optimizers.LBFGS(max_evaluations=2), optimizers.NormalizedAscent()],
    ids=lambda o: o.kind(),
)
def test_an_image_that_is_not_finite_stops_and_the_others_go_on_as_without_it(where, optimizer):
    net = conv_net()
    options = {"steps": 5, "optimizer": optimizer, "dtype": torch.float64, "snapshots": range(6)}
    clean = quick(net, UNITS, transforms=[lambda v: v], **options)
    # Call 1 is the look for dead starts; the second step of gradient methods is call 3.
    calls_per_step = 2 if isinstance(optimizer, optimizers.LBFGS) else 1
    spoilt = quick(net, UNITS, transforms=[poison(where, 1, 2 + calls_per_step)], **options)
    assert spoilt.status[1] == "stopped at step 2: score or gradient was not finite; the image before it is kept"
    assert spoilt.status[0] == spoilt.status[2] == "ok"
    assert torch.isfinite(spoilt.images).all()
    for row in (0, 2):
        torch.testing.assert_close(spoilt.images[row], clean.images[row], rtol=0, atol=1e-7)
        torch.testing.assert_close(spoilt.scores[row], clean.scores[row], rtol=0, atol=1e-6)
    torch.testing.assert_close(spoilt.images[1], clean.snapshots[1][1], rtol=0, atol=1e-7)
    assert torch.equal(spoilt.snapshots[2][1], spoilt.snapshots[5][1])


def poison_once(where, row, call):
    """A transform that spoils one image in one call only."""
    calls = []

    def spoil(views):
        calls.append(1)
        return Poison.apply(views, where, row) if len(calls) == call else views

    return spoil


@pytest.mark.parametrize("where", ["score", "infinite"])
def test_a_trial_of_a_line_search_that_is_not_finite_stops_nothing(where):
    """Call 1 looks for dead starts, call 2 begins the first step, call 3 is its first trial."""
    options = {"steps": 4, "optimizer": optimizers.LBFGS(), "dtype": torch.float64}
    result = quick(conv_net(), UNITS, transforms=[poison_once(where, 1, 3)], **options)
    clean = quick(conv_net(), UNITS, transforms=[lambda v: v], **options)
    assert result.status == ("ok",) * 3
    assert result.images.isfinite().all()
    assert torch.stack(result.scores).isfinite().all()
    assert result.scores[1][-1] > result.scores[1][0]
    for row in (0, 2):
        torch.testing.assert_close(result.images[row], clean.images[row], rtol=0, atol=1e-6)


def test_a_dead_start_is_restarted_and_says_so():
    result = quick(dead_net(0.05), ph.Logit(0), steps=4)
    assert result.status[0].startswith("ok, after ")
    assert result.status[0].endswith(" restarts: the gradient was exactly zero at the start")
    assert int(result.status[0].split()[2]) >= 1
    assert result.final_scores[0] > 0
    assert result.scores[0][-1] > result.scores[0][0] >= 0


def test_a_really_dead_unit_says_dead_after_five_restarts():
    result = quick(dead_net(0.6), ph.Logit(0), steps=2)
    assert result.status == ("dead: the gradient stayed exactly zero through 5 restarts from stronger noise",)
    assert result.final_scores.tolist() == [0]


def test_a_dead_image_leaves_the_others_as_they_are_alone():
    """One channel is dead behind its bias, the other is not."""
    module = conv_module()
    module.act1, module.act2 = nn.ReLU(), nn.ReLU()
    seeded(module)
    with torch.no_grad():
        module.conv2.bias[3] = -100.0
    net = wrapped(module)
    units = [ph.Channel("act2", 3), ph.Channel("act2", 1)]
    together, alone = quick(net, units, dtype=torch.float64), quick(net, units[1], dtype=torch.float64)
    assert together.status[0].startswith("dead")
    assert together.status[1] == "ok"
    torch.testing.assert_close(together.images[1], alone.images[0], rtol=0, atol=1e-7)


@pytest.mark.parametrize("company", [1, 3])
def test_a_restarted_image_does_not_depend_on_its_company(company):
    net = dead_net(0.05)
    units = [ph.Logit(0), 2.0 * ph.Logit(0), 3.0 * ph.Logit(0)][:company]
    result = quick(net, units, dtype=torch.float64)
    alone = quick(net, units[-1], dtype=torch.float64)
    torch.testing.assert_close(result.images[-1], alone.images[0], rtol=0, atol=1e-7)


def interrupting(at):
    calls = []

    def own(views):
        calls.append(1)
        if len(calls) == at:
            raise KeyboardInterrupt
        return views

    return own


@pytest.mark.parametrize("done", [0, 1, 3])
@pytest.mark.parametrize("optimizer", [optimizers.Adam(), optimizers.LBFGS(max_evaluations=2)], ids=lambda o: o.kind())
def test_an_interrupt_returns_what_there_is_and_says_so(done, optimizer):
    net = conv_net()
    per_step = 2 if isinstance(optimizer, optimizers.LBFGS) else 1
    result = quick(
        net, UNITS, transforms=[interrupting(2 + done * per_step + per_step - 1)], steps=6, optimizer=optimizer
    )
    expected = quick(net, UNITS, transforms=[lambda v: v], steps=done, optimizer=optimizer)
    assert result.status == (f"interrupted after step {done}",) * 3
    assert torch.equal(result.images, expected.images)
    assert [len(s) for s in result.scores] == [done] * 3
    assert [d["recipe"]["steps"] for d in result.documents] == [done] * 3


def test_the_document_of_an_interrupted_picture_replays_to_the_same_picture(tmp_path):
    net, told = conv_net(), []

    def progress(n):
        told.append(n)
        if len(told) == 3:
            raise KeyboardInterrupt

    result = quick(net, UNITS[0], steps=8, progress=progress, optimizer=optimizers.Adam(schedule=optimizers.Cosine(8)))
    assert result.status == ("interrupted after step 3",)
    (path,) = result.save(tmp_path / "a.png")
    again = ph.replay(path, net=net, progress=False)
    assert again.identical
    assert torch.equal(again.result.images, result.images)


def test_an_interrupt_ends_the_run_and_keeps_earlier_batches():
    net, told = conv_net(), []

    def progress(n):
        told.append(n)
        if len(told) == 5:
            raise KeyboardInterrupt

    result = quick(net, UNITS, steps=4, batch_size=1, progress=progress)
    assert result.names == ("conv2:1", "conv2:2")
    assert result.status == ("ok", "interrupted after step 1")
    assert [len(s) for s in result.scores] == [4, 1]


def test_an_interrupt_while_a_later_batch_starts_keeps_the_finished_ones():
    net = conv_net()
    # The first batch looks five times: once for dead starts, four steps. The sixth look is the second batch's first.
    result = quick(net, UNITS, steps=4, batch_size=1, transforms=[interrupting(6)])
    assert result.names[0] == "conv2:1"
    assert result.status[0] == "ok"


class Greedy(nn.Module):
    """Runs out of memory where more than ``limit`` images come at once."""

    def __init__(self, limit=2):
        super().__init__()
        self.inner, self.limit, self.batches = seeded(conv_module()), limit, []

    def forward(self, x):
        if x.requires_grad:
            self.batches.append(len(x))
            if len(x) > self.limit:
                raise torch.OutOfMemoryError("CUDA out of memory, on purpose")
        return self.inner(x)


def test_a_batch_that_runs_out_of_memory_is_halved_until_it_fits():
    units = [ph.Channel("inner.conv2", i) for i in range(5)]
    told = []
    result = quick(wrapped(Greedy(2)), units, batch_size=5, progress=told.append, dtype=torch.float64)
    plenty = quick(wrapped(Greedy(99)), units, batch_size=5, dtype=torch.float64)
    assert result.names == tuple(str(u) for u in units)
    assert result.status == ("ok",) * 5
    torch.testing.assert_close(result.images, plenty.images, rtol=0, atol=1e-6)
    assert sum(told) == 3 * 5


def test_a_single_image_that_runs_out_of_memory_says_so():
    with pytest.raises(torch.OutOfMemoryError, match="on purpose"):
        quick(wrapped(Greedy(0)), ph.Channel("inner.conv2", 0))


@pytest.mark.parametrize(
    "message", ["[enforce fail] can't allocate memory: you tried to allocate", "not enough memory: 3"]
)
def test_the_words_of_cpus_for_no_memory_are_known(message):
    from phosphene.render.batches import out_of_memory

    assert out_of_memory(RuntimeError(message))
    assert not out_of_memory(RuntimeError("shapes do not fit"))


@pytest.mark.parametrize(("batch_size", "sizes"), [(1, {1}), (2, {2, 1}), (5, {5}), (9, {5})])
def test_the_batch_size_is_respected_and_progress_adds_up(batch_size, sizes):
    seen, told = set(), []

    def own(views):
        seen.add(len(views))
        return views

    quick(
        conv_net(),
        [ph.Channel("conv2", i) for i in range(5)],
        transforms=[own],
        batch_size=batch_size,
        steps=4,
        progress=told.append,
    )
    assert seen == sizes
    assert sum(told) == 4 * 5


@pytest.mark.parametrize("batch_size", [0, -1])
def test_a_batch_size_below_one_is_refused(batch_size):
    with pytest.raises(ParameterError, match=f"batch_size is {batch_size}"):
        quick(conv_net(), UNITS, batch_size=batch_size)


@pytest.mark.parametrize("guard", [torch.no_grad, torch.inference_mode])
def test_a_render_inside_no_grad_is_the_same(guard):
    net = conv_net()
    expected = quick(net, UNITS[0])
    with guard():
        found = quick(net, UNITS[0])
        assert not torch.is_grad_enabled()
    assert found.status == ("ok",)
    assert torch.equal(found.images, expected.images)


@pytest.mark.parametrize("channels", [1, 3, 5])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_scores_rise_in_every_dtype_and_number_of_channels(channels, dtype):
    net = conv_net(channels)
    result = quick(net, [ph.Channel("conv2", 0), ph.Channel("conv2", 3)], dtype=dtype, steps=12)
    assert result.images.dtype is torch.float32
    assert result.images.shape == (2, channels, *SIZE)
    assert all(s[-1] > s[0] for s in result.scores)
    assert (result.final_scores > torch.stack([s[0] for s in result.scores])).all()


def test_scores_are_those_at_the_start_of_each_step_and_final_ones_those_of_the_clean_picture():
    net = conv_net()
    result = quick(net, UNITS[0], steps=4, snapshots=range(5), dtype=torch.float64)
    for t in range(4):
        layer = net.module[:3](result.snapshots[t])[0, 1].mean()
        assert result.scores[0][t].item() == pytest.approx(layer.item(), abs=1e-5)
    assert result.final_scores[0].item() == pytest.approx(net.module[:3](result.images)[0, 1].mean().item(), abs=1e-5)


def test_a_regularizer_of_the_recipe_is_climbed_but_not_reported():
    net = conv_net()
    recipe = ph.Recipe(parameterization=ph.Pixels(*SIZE), regularizer=-1.0 * ph.regularizers.L2(), steps=8)
    plain = ph.render(net, UNITS[0], recipe=ph.Recipe(parameterization=ph.Pixels(*SIZE), steps=8), progress=False)
    held = ph.render(net, UNITS[0], recipe=recipe, progress=False)
    assert (held.images - 0.5).abs().mean() < (plain.images - 0.5).abs().mean()
    assert held.final_scores[0].item() == pytest.approx(net.module[:3](held.images)[0, 1].mean().item(), abs=1e-5)


def test_a_regularizer_alone_can_be_rendered_and_its_optimum_is_reached():
    result = quick(conv_net(), -ph.regularizers.L2(0.2), steps=60, optimizer=optimizers.Adam(lr=0.2))
    assert (result.images - 0.2).abs().max() < 0.05


def test_a_network_of_one_size_is_shown_that_size_whatever_the_canvas():
    net = linear_net()
    result = quick(net, ph.Logit(0), parameterization=ph.Pixels(11, 13), steps=3)
    assert result.images.shape == (1, 3, 11, 13)
    assert result.scores[0][-1] > result.scores[0][0]


def test_a_progress_bar_is_shown_when_asked(capsys):
    quick(conv_net(), UNITS[0], progress=True)
    assert "step" in capsys.readouterr().err
    quick(conv_net(), UNITS[0], progress=False)
    assert capsys.readouterr().err == ""


def test_the_default_recipe_is_chosen_by_the_unit():
    net = conv_net()
    assert ph.recipes.default_recipe(ph.Channel("conv2", 0), net).name == "channel"
    assert ph.recipes.default_recipe(ph.Logit(0) - ph.regularizers.L1(), net).name == "class"
    assert ph.recipes.default_recipe(ph.Logit(0) + ph.Channel("conv2", 0), net).name == "channel"
    assert ph.recipes.default_recipe(-ph.TotalVariation(), net).name == "channel"
    made = ph.recipes.default_recipe(ph.Channel("conv2", 0), conv_net(5)).parameterization
    assert (made.height, made.width, made.channels) == (*SIZE, 5)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda net: ph.render(net.module, UNITS),
            (ArgumentError, TypeError),
            "net must come from ph.load or ph.wrap; got Sequential|parameter 'net'",
        ),
        (
            lambda net: quick(net, "conv2:1"),
            (ArgumentError, TypeError),
            "expected an objective such as ph.Channel|parameter 'objective'",
        ),
        (
            lambda net: quick(net, [UNITS[0], 3]),
            (ArgumentError, TypeError),
            "expected an objective such as .* got 3|parameter 'objective'",
        ),
        (lambda net: quick(net, []), ParameterError, "there is nothing to render: the list of objectives is empty"),
        (
            lambda net: quick(net, UNITS, device="abacus"),
            ParameterError,
            "device is 'abacus', which cannot be used here; expected 'cpu', 'cuda'",
        ),
        (
            lambda net: quick(net, UNITS, dtype=torch.float16),
            ParameterError,
            "dtype is torch.float16, expected torch.float32",
        ),
        (lambda net: quick(net, UNITS, steps=-1), ParameterError, "steps is -1; expected a whole number from 0"),
        (lambda net: quick(net, UNITS, views=0), ParameterError, "views is 0; expected a whole number from 1"),
        (
            lambda net: quick(net, UNITS, parameterization=ph.Pixels(*SIZE, channels=1)),
            ParameterError,
            "takes images of 3 channels; Pixels makes 1",
        ),
        (
            lambda net: quick(net, UNITS, optimizer="adam"),
            (ArgumentError, TypeError),
            "optimizer must be a Optimizer.* got str|parameter 'optimizer'",
        ),
        (
            lambda net: quick(net, UNITS, parameterization=12),
            (ArgumentError, TypeError),
            "parameterization must be a Parameterization|'parameterization'",
        ),
        (
            lambda net: quick(net, UNITS, transforms=[3]),
            (ArgumentError, TypeError),
            "a transform is a value from|parameter 'transforms'",
        ),
        (
            lambda net: quick(net, UNITS, snapshots=(-1,)),
            ParameterError,
            "snapshots has -1; expected whole numbers of steps from 0 to 3",
        ),
        (
            lambda net: quick(net, UNITS, snapshots=(0, 4)),
            ParameterError,
            "snapshots has 4; expected whole numbers of steps from 0 to 3",
        ),
        (lambda net: quick(net, UNITS, snapshots=(1.5,)), ArgumentError, "snapshots is 1.5; expected a whole number"),
        (lambda net: quick(net, ph.Channel("conv2", 77)), UnitRangeError, "has 6 channels"),
        (
            lambda net: quick(net, UNITS, parameterization=ph.Pixels(*SIZE, start=random_images(2, 3, SIZE))),
            ImageError,
            "start holds 2 images, but 3 are rendered",
        ),
    ],
)
def test_a_mistake_is_refused_before_anything_is_rendered(call, error, message):
    with pytest.raises(error, match=message):
        call(conv_net())


def test_pictures_of_different_sizes_are_refused_as_one_result():
    from phosphene.render.result import gather

    net = conv_net()
    results = [quick(net, UNITS[0], parameterization=ph.Pixels(*size)) for size in ((8, 8), (9, 8))]
    outcomes = [r._origin[0][0] for r in results]
    with pytest.raises(ArgumentError, match="pictures of different sizes .* cannot be one result; render them apart"):
        gather(outcomes, net, results[0]._origin[0][2])


def test_views_of_a_network_of_one_size_that_a_function_changes_are_refused():
    net = wrapped(nn.Sequential(nn.Flatten(), seeded(nn.Linear(3 * 8 * 6, 2))), size=(8, 6))
    assert not net.any_size
    with prepare(net, ["1"]) as forward, pytest.raises(ImageError, match="takes only"):
        forward(torch.zeros(1, 3, 9, 9))


def test_views_of_another_number_of_channels_are_refused():
    message = "views have 1 channels, but Sequential takes 3; make images of 3 channels"
    with prepare(conv_net(), ["conv2"]) as forward, pytest.raises(ImageError, match=message):
        forward(torch.zeros(2, 1, *SIZE))


def test_a_custom_objective_and_a_custom_transform_render():
    net = conv_net()
    own = objectives.Custom(lambda a: a[:, 0].flatten(1).mean(1), ("conv2",))
    found = quick(net, own, transforms=[lambda v: v.clamp(0, 1)], steps=5)
    assert found.scores[0][-1] > found.scores[0][0]

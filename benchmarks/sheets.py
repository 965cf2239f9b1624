"""Contact sheets: pictures in a grid with a caption under each."""

from __future__ import annotations

import math
from pathlib import Path

from PIL import Image, ImageDraw
from torch import Tensor

GAP_PX = 6
CAPTION_PX = 14
TILE_PX = 168


def save_sheet(path: Path, images: Tensor, captions: list[str], columns: int) -> None:
    """Write a PNG of images (n 3 h w) in [0, 1], row by row."""
    n_rows = math.ceil(len(images) / columns)
    step_x, step_y = TILE_PX + GAP_PX, TILE_PX + GAP_PX + CAPTION_PX
    sheet = Image.new("RGB", (columns * step_x + GAP_PX, n_rows * step_y + GAP_PX), "white")
    draw = ImageDraw.Draw(sheet)
    for i, (image, caption) in enumerate(zip(images, captions, strict=True)):
        x, y = GAP_PX + i % columns * step_x, GAP_PX + i // columns * step_y
        tile = Image.fromarray((image.clamp(0, 1) * 255).round().byte().permute(1, 2, 0).contiguous().numpy())
        sheet.paste(tile.resize((TILE_PX, TILE_PX), Image.Resampling.LANCZOS), (x, y))
        draw.text((x, y + TILE_PX), caption, fill="black")
    path.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(path, optimize=True)

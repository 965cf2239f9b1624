"""The page that Hugging Face shows of an atlas, and that tells readers of the folder what it is."""

from __future__ import annotations

import json

from phosphene.store.atlas.manifest import Manifest

_TEXT = """---
pretty_name: {title}
configs:
- config_name: pictures
  data_files: data/**/*.parquet
  default: true
- config_name: units
  data_files: facts/*.parquet
tags:
- feature-visualization
- interpretability
---

# What drives the units of {name}

Each row of `data/` is a picture that was optimised to drive a unit of the network **{name}**: {n_units} units of
{n_layers} layers. The column `image` holds it; `status` says whether it could be rendered, `reason` why not; `score`
is the unit's answer to the picture, `robust_score` its mean over views that were held out; `curve` is the score on the
way; `recipe` is the digest of how it was made, which `atlas.json` has in full. Each row of `facts/`, where there are
any, says what else is known of a unit: how it answers photographs, which drive it most, which units are like it.

```python
from datasets import load_dataset

pictures = load_dataset("parquet", data_files="data/**/*.parquet", split="train")
pictures[0]["image"]
```

Made by phosphene {version}: `phosphene atlas serve FOLDER` shows it as pages, `phosphene atlas verify FOLDER` looks
for damage.
"""


def card(manifest: Manifest) -> str:
    """The text of an atlas's README.md."""
    name = " ".join(manifest.network.name.split()) or "a network"
    return _TEXT.format(
        title=json.dumps(f"What drives the units of {name}"),  # a JSON text is a YAML text
        name=name,
        n_units=sum(layer.n_units for layer in manifest.layers),
        n_layers=len(manifest.layers),
        version=manifest.phosphene,
    )

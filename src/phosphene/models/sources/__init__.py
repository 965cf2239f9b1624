"""Where networks come from: one module for each source. Only here may timm and torchvision be imported."""

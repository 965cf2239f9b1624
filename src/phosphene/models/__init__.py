"""Networks: the bundled one, other libraries' and one's own; their layers, and how to run them cut after the deepest
layer asked for.
"""

from phosphene.models.capture import Capture, capture
from phosphene.models.layers import layers
from phosphene.models.load import load, wrap
from phosphene.models.network import Network
from phosphene.models.prepare import prepare

__all__ = ["Capture", "Network", "capture", "layers", "load", "prepare", "wrap"]

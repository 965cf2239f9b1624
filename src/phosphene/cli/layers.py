"""``phosphene layers NET``: what can be looked at in a network."""

from __future__ import annotations

from phosphene.cli import console
from phosphene.cli.networks import JsonOption, NetArgument, WeightsOption, load_network

_COLUMNS = ("layer", "type", "shape", "channels", "layout", "receptive field", "stride", "offset", "calls")


def layers(net: NetArgument, weights: WeightsOption = None, json: JsonOption = False) -> None:
    """List every layer: name, type, output shape, channels, layout, receptive field and how often it runs."""
    import phosphene as ph

    listed = ph.layers(load_network(net, weights))
    if json:
        console.print_json(listed.to_json())
        return
    table = console.table(*_COLUMNS, right=("channels", "calls"))
    for layer in listed:
        table.add_row(*layer.cells())
    console.out().print(table)

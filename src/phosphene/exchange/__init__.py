"""The folder protocol: stimuli out, responses in. It knows nothing of optimizers."""

from phosphene.exchange.blocks import Block, Entry, block_folder, displayed_png, read_block, write_block
from phosphene.exchange.display import Display
from phosphene.exchange.formats import read_responses
from phosphene.exchange.matching import Matched, Trial, match
from phosphene.exchange.presentation import Presentation, Stimulus, presentation_order, read_references
from phosphene.exchange.receiving import receive
from phosphene.exchange.responses import Responses, select_channels
from phosphene.exchange.restoring import restore_pictures
from phosphene.exchange.waiting import (
    Patience,
    ResponseFile,
    find_responses,
    misnamed_responses,
    response_files,
    wait_for_responses,
)

__all__ = [
    "Block",
    "Display",
    "Entry",
    "Matched",
    "Patience",
    "Presentation",
    "ResponseFile",
    "Responses",
    "Stimulus",
    "Trial",
    "block_folder",
    "displayed_png",
    "find_responses",
    "match",
    "misnamed_responses",
    "presentation_order",
    "read_block",
    "read_references",
    "read_responses",
    "receive",
    "response_files",
    "restore_pictures",
    "select_channels",
    "wait_for_responses",
    "write_block",
]

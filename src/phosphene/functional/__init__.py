"""Pure tensor mathematics: colour, spectrum, geometry, filters, similarity, random streams."""

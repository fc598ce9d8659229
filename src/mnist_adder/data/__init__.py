"""Everything between a file on disk and the first layer of a network."""

"""One module for each format of checkpoints, and what they share: detection, containers, pickles, the walk."""

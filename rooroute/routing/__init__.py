"""Pure: who may answer and in which order. No clock, no randomness, no input or output; ``now`` arrives as an argument."""

"""The values everything is made of: frozen, without input or output, without a clock, without randomness."""

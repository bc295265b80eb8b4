"""The scenarios of `benchmarks.soak`: what goes wrong, and what must hold then."""

"""How fast the reference is, and how large: figures that docs/benchmarks.md keeps.

Timings are ratios measured side by side in one run; none of them is a test.
"""

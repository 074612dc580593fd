"""make bench: print all tables. python -m benchmarks --help chooses among them."""

import argparse
import warnings

import torch

from . import checks, decoding, parameters, speed
from .measure import machine


def main():
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parts = ("parameters", "checks", "speed", "decoding")
    parser.add_argument("parts", nargs="*", help=f"which of {', '.join(parts)}; all by default")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--sizes", nargs="+", choices=speed.SIZES, help="for speed: which models")
    parser.add_argument("--eager", action="store_true", help="for speed: leave out torch.compile")
    parser.add_argument("--rounds", type=int, default=10, help="for speed: how often (10)")
    parser.add_argument("--profile", choices=speed.SIZES, help="where a training step's time goes")
    options = parser.parse_args()
    unknown = [part for part in options.parts if part not in parts]
    if unknown:
        parser.error(f"{', '.join(unknown)}: choose among {', '.join(parts)}")
    if options.device.startswith("cuda") and not torch.cuda.is_available():
        parser.error("torch sees no GPU here: leave --device out, or say cpu")
    device = torch.device(options.device)
    torch.set_float32_matmul_precision("highest")
    # nn.Transformer's own remarks on its fast paths say nothing about the figures.
    warnings.filterwarnings("ignore", module="torch")

    if options.profile:
        print(speed.profile(options.profile, device))
        return
    print(f"Measured on {machine(device)}", flush=True)
    chosen = options.parts or parts
    if "parameters" in chosen:
        print("\n## Parameters, table 3\n", parameters.run(), sep="\n", flush=True)
    if "checks" in chosen:
        print("\n## Checks\n", checks.run(), sep="\n", flush=True)
    if "speed" in chosen:
        modes = (False,) if options.eager else (False, True)
        figures = speed.run(device, options.sizes, modes, options.rounds)
        print("\n## Speed\n", figures, sep="\n", flush=True)
    if "decoding" in chosen:
        print("\n## Decoding with a cache\n", decoding.run(device), sep="\n", flush=True)


if __name__ == "__main__":
    main()

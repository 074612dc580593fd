"""python -m translation: train the translator, and say how well it does."""

import argparse

from .train import train


def main():
    parser = argparse.ArgumentParser(prog="python -m translation", description=__doc__)
    parser.add_argument("--steps", type=int, default=400, help="steps of training (400)")
    parser.add_argument("--seed", type=int, default=0, help="for weights, dropout and order (0)")
    parser.add_argument("--device", help="cpu or cuda; by default the GPU if there is one")
    parser.add_argument("--checkpoint", help="a file to resume from and to save to")
    options = parser.parse_args()
    try:
        train(**vars(options))
    except ValueError as error:
        parser.exit(2, f"{error}\n")


if __name__ == "__main__":
    main()

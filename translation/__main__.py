"""Train the translator of numbers, and say how well it does."""

import argparse

from .number_words import NumberTranslation
from .picture import draw_cross_attention
from .train import train


def main(arguments=None):
    parser = argparse.ArgumentParser(prog="python -m translation", description=__doc__)
    parser.add_argument("--steps", type=int, default=400, help="steps of training (400)")
    parser.add_argument("--seed", type=int, default=0, help="for weights, dropout and order (0)")
    parser.add_argument("--device", help="cpu or cuda; by default the GPU if there is one")
    parser.add_argument("--checkpoint", help="a file to resume from and to save to")
    parser.add_argument("--picture", help="a file for a heatmap of what it looks at")
    options = parser.parse_args(arguments)
    task = NumberTranslation()
    try:
        training = train(
            steps=options.steps,
            seed=options.seed,
            device=options.device,
            checkpoint=options.checkpoint,
            task=task,
        )
        if options.picture:
            draw_cross_attention(training.model, task, 4297, "de", options.picture)
            print(f"Drawn: {options.picture}")
    except (ValueError, OSError, RuntimeError) as error:
        parser.exit(2, f"{error}\n")
    except KeyboardInterrupt:
        parser.exit(130, "\nInterrupted.\n")


if __name__ == "__main__":
    main()

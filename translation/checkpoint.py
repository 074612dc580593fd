"""Keep a training on disk, and go on with it later as if it had never stopped."""

import os
from pathlib import Path

import torch

SAVED = {"recipe", "model", "average", "optimiser", "step", "losses", "random", "cuda_random"}


def save_checkpoint(path, training, recipe):
    """Write everything that the next step depends on; an older file is replaced in one go."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    state = {
        "recipe": recipe,
        "model": training.model.state_dict(),
        "average": training.average.state_dict(),
        "optimiser": training.optimiser.state_dict(),
        "step": training.step,
        "losses": training.losses,
        "random": torch.get_rng_state(),
        "cuda_random": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
    }
    unfinished = path.with_name(path.name + ".part")
    torch.save(state, unfinished)
    os.replace(unfinished, path)


def load_checkpoint(path, training, recipe):
    """Bring `training` to where it stopped; without a file at `path` it starts at the beginning."""
    path = Path(path)
    if not path.exists():
        return
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        saved_recipe = dict(state["recipe"])
        if missing := SAVED - state.keys():
            raise KeyError(missing)
    except Exception as error:
        raise ValueError(
            f"{path} is no checkpoint of this training, or is damaged ({type(error).__name__}): "
            f"move it away to start anew"
        ) from error
    different = [
        f"{name} was {saved_recipe.get(name)} and is now {value}"
        for name, value in recipe.items()
        if saved_recipe.get(name) != value
    ]
    if different:
        raise ValueError(
            f"{path} is of another training: {', '.join(different)}. "
            f"Use the same settings, or move the file away to start anew"
        )
    training.model.load_state_dict(state["model"])
    training.average.load_state_dict(state["average"])
    training.optimiser.load_state_dict(state["optimiser"])
    training.step, training.losses = state["step"], list(state["losses"])
    torch.set_rng_state(state["random"])
    # Another machine may have another number of GPUs.
    for number, random in enumerate(state["cuda_random"][: torch.cuda.device_count()]):
        torch.cuda.set_rng_state(random, number)

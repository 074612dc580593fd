"""How patchify is checked."""

import torch

from autograder.engine import promises
from autograder.engine.exercise import Exercise, Property
from autograder.engine.trial import call, probe

from ..shared import (
    expected_shape,
    your_shape,
)


def cut_up(draw, batch=6, channels=4, height=6, width=10, size=2):
    trial = call(images=draw.normal(batch, channels, height, width), size=size)
    trial.sizes = {"batch": batch, "channels": channels, "height": height, "width": width}
    trial.sizes |= {"size": size, "down": height // size, "across": width // size}
    return trial


cut_images = probe("cut_images", cut_up)
cut_larger_patches = probe(
    "cut_larger_patches", cut_up, batch=5, channels=7, height=12, width=6, size=3
)


def cut_after(draw, **sizes):
    """First an edge case, in which many mistakes look alike, then an ordinary one."""
    trial = cut_up(draw, **sizes)
    trial.calls += cut_up(draw).calls
    return trial


cut_grey_image = probe("cut_grey_image", cut_after, batch=1, channels=1, height=6, width=4)
cut_single_pixels = probe("cut_single_pixels", cut_after, height=3, width=5, size=1)
cut_one_patch = probe("cut_one_patch", cut_after, height=3, width=3, size=3)


def cut_strided(draw):
    return cut_up(draw, channels=4, height=6, width=9, size=3).but(strided=True)


def cut_gradients(draw):
    return cut_up(draw).but(gradients=True)


def cut_in_float64(draw):
    return cut_up(draw).but(dtype=torch.float64)


def cut_in_bfloat16(draw):
    return cut_up(draw).but(dtype=torch.bfloat16)


LOOK_AT_PIXELS = (
    "Number the pixels of a 4 x 6 image with torch.arange(24), and see which of them your first "
    "patch has."
)


def first_patch(seen):
    """A symptom: what does the first patch hold?"""
    yours, images = seen.yours["output"], seen.arguments["images"].to(seen.yours["output"].dtype)
    size = seen["size"]
    if yours.shape != seen.theirs["output"].shape:
        return None
    right, got = images[0, :, :size, :size].flatten(), yours[0, 0]
    if torch.equal(got.cpu(), right.cpu()):
        return "Your first patch is right; others hold the wrong pixels."
    if torch.equal(got.sort().values.cpu(), right.sort().values.cpu()):
        return "Your first patch has the right pixels, but in another order."
    if not bool(torch.isin(got, images[0]).all()):
        return "Your first patch holds numbers that are no pixels of the first image."
    if bool(torch.isin(got, right).all()):
        return "Your first patch holds some of its pixels twice, and others not at all."
    return f"Your first patch holds pixels from outside the top left {size} x {size}."


patchify = Exercise(
    id="variants.patchify",
    properties=(
        Property(
            "values",
            4,
            "every patch holds its own pixels, and the patches come row by row",
            (cut_images, cut_larger_patches),
            look=LOOK_AT_PIXELS,
        ),
        Property(
            "sizes",
            2,
            "one channel, one pixel, one patch",
            (cut_grey_image, cut_single_pixels, cut_one_patch, cut_strided),
        ),
        promises.gradients("gradients flow back to the images", cut_gradients),
        promises.dtype("the dtype stays", cut_in_float64, cut_in_bfloat16),
        promises.unchanged("the images stay as they were"),
    ),
    hints=(
        "Draw an image of 4 x 6 pixels with patches of 2 x 2 and number patches and pixels.",
        "Height is (rows of patches, rows in a patch), width likewise: cut both in two. What says "
        "which patch goes to the front, what says where in it goes to the back.",
        "Six dimensions, (batch, channels, down, size, across, size); put in the order (batch, "
        "down, across, channels, size, size); then two become one, and three become one.",
    ),
    measures={"your_shape": your_shape, "expected_shape": expected_shape},
    symptoms=(first_patch,),
)

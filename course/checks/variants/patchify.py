"""How patchify is checked."""

import torch

from autograder.engine.exercise import Exercise, Mistake, Property
from autograder.engine.trial import call

from ..shared import (
    always_float32,
    expected_shape,
    graph_cut,
    with_dtype,
    with_gradients,
    with_strides,
    your_shape,
)


def cut_up(draw, batch=6, channels=4, height=6, width=10, size=2):
    trial = call(images=draw.normal(batch, channels, height, width), size=size)
    trial.sizes = {"batch": batch, "channels": channels, "height": height, "width": width}
    trial.sizes |= {"size": size, "down": height // size, "across": width // size}
    return trial


def cut_images(draw):
    return cut_up(draw)


def cut_larger_patches(draw):
    return cut_up(draw, batch=5, channels=7, height=12, width=6, size=3)


def cut_after(draw, **sizes):
    """First an edge case, in which many mistakes look alike, then an ordinary one."""
    trial = cut_up(draw, **sizes)
    trial.calls += cut_up(draw).calls
    return trial


def cut_grey_image(draw):
    return cut_after(draw, batch=1, channels=1, height=6, width=4)


def cut_single_pixels(draw):
    return cut_after(draw, height=3, width=5, size=1)


def cut_one_patch(draw):
    return cut_after(draw, height=3, width=3, size=3)


def cut_strided(draw):
    return with_strides(cut_up(draw, channels=4, height=6, width=9, size=3))


def cut_gradients(draw):
    return with_gradients(cut_up(draw))


def cut_in_float64(draw):
    return with_dtype(cut_up(draw), torch.float64)


def cut_in_bfloat16(draw):
    return with_dtype(cut_up(draw), torch.bfloat16)


INTO = "patches = images.unflatten(3, (width // size, size)).unflatten(2, (height // size, size))"
ORDER = "patches = patches.permute(0, 2, 4, 1, 3, 5)"
FLAT = "return patches.flatten(3).flatten(1, 2)"
BY_LOOPS = (
    "[images[..., i * size : i * size + size, j * size : j * size + size].flatten(1) "
    "for i in range(height // size) for j in range(height // size)]"
)
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
    return f"Your first patch holds pixels from outside the top left {size} x {size}."


def ordered(mistake_id, order, says, look=LOOK_AT_PIXELS, line=r"permute|transpose|rearrange"):
    return Mistake(mistake_id, ((ORDER, f"patches = patches.permute({order})"),), says, look, line)


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
        Property(
            "gradients",
            1,
            "gradients flow back to the images",
            (cut_gradients,),
            aspects=("gradient",),
        ),
        Property(
            "dtype",
            1,
            "the dtype stays",
            (cut_in_float64, cut_in_bfloat16),
            aspects=("dtype",),
        ),
        Property("arguments", 1, "the images stay as they were", aspects=("changed",)),
    ),
    mistakes=(
        Mistake(
            "reshape_only",
            (
                (
                    INTO,
                    "patches = images.reshape(images.shape[0], -1, images.shape[1] * size * size)",
                ),
                (ORDER, "pass"),
                (FLAT, "return patches"),
            ),
            "The shape is right and the pixels are in the wrong places: a reshape alone takes them "
            "as they lie in memory, so that your first patch is a piece of the first row.",
            LOOK_AT_PIXELS,
            r"view|reshape",
        ),
        Mistake(
            "channels_moved_first",
            (
                (
                    INTO,
                    "patches = images.permute(0, 2, 3, 1).reshape(images.shape[0], -1, "
                    "images.shape[1] * size * size)",
                ),
                (ORDER, "pass"),
                (FLAT, "return patches"),
            ),
            "You put the channels last and then reshape: your first patch is a piece of the first "
            "row of pixels, and no square.",
            LOOK_AT_PIXELS,
            r"view|reshape|permute",
        ),
        Mistake(
            "as_many_columns_as_rows",
            ((INTO, f"return torch.stack({BY_LOOPS}, 1)"),),
            "You cut as many columns as there are rows of patches; this image has {down} rows "
            "and {across} columns of them.",
            "Is every image square?",
            r"range|//|shape",
        ),
        Mistake(
            "windows_overlap",
            ((INTO, "return F.unfold(images, size).transpose(1, 2)"),),
            "Your windows move on by one pixel and overlap: {your_shape}, expected "
            "{expected_shape}.",
            "How far is it from one patch to the next?",
            r"unfold|range",
        ),
        ordered(
            "channels_last",
            "0, 2, 4, 3, 5, 1",
            "Your patches hold the right pixels, but the channels of a pixel stand side by side; "
            "asked for is channel by channel, channels · size · size.",
            "In which order does the docstring list what is in a patch?",
        ),
        ordered(
            "column_by_column",
            "0, 4, 2, 1, 3, 5",
            "Your patches come column by column; asked for is row by row.",
            "Which patch is the second one: right of the first, or below it?",
        ),
        ordered(
            "pixels_column_by_column",
            "0, 2, 4, 1, 5, 3",
            "The pixels inside your patches stand column by column: each patch is mirrored along "
            "its diagonal.",
            LOOK_AT_PIXELS,
        ),
        ordered(
            "everything_column_by_column",
            "0, 4, 2, 1, 5, 3",
            "Both your patches and the pixels inside them come column by column; asked for is row "
            "by row.",
            "Have height and width changed places somewhere?",
        ),
        Mistake(
            "channel_by_channel",
            (
                (ORDER, "patches = patches.permute(0, 1, 2, 4, 3, 5)"),
                (FLAT, "return patches.flatten(4).flatten(1, 3)"),
            ),
            "You have a patch for every channel, and not one with all channels: {your_shape}, "
            "expected {expected_shape}.",
            "What should be in one patch?",
            r"permute|transpose|reshape|view",
        ),
        ordered(
            "rows_and_places_mixed",
            "0, 3, 5, 1, 2, 4",
            "You took the places inside a patch for the patches: {your_shape}, expected "
            "{expected_shape}.",
            "After cutting a dimension in two, which part is the number of the patch?",
        ),
        ordered(
            "rows_of_patches",
            "0, 2, 3, 1, 4, 5",
            "Your patches are whole rows of pixels: {your_shape}, expected {expected_shape}.",
            "Which dimensions say where a patch lies, and which what is in it?",
        ),
        Mistake(
            "every_nth_pixel",
            (
                (
                    INTO,
                    "patches = images.unflatten(3, (size, width // size)).unflatten(2, (size, "
                    "height // size))",
                ),
                (ORDER, "patches = patches.permute(0, 3, 5, 1, 2, 4)"),
            ),
            "Your patches hold pixels from all over the image, {down} rows and {across} columns "
            "apart; asked for are squares of neighbours.",
            "After cutting a dimension in two, which part stands first: the patch, or the place in "
            "it?",
            r"unflatten|view|reshape|::",
        ),
        Mistake(
            "down_and_across_left_apart",
            ((FLAT, "return patches.flatten(3)"),),
            "Your result has shape {your_shape}: rows and columns of patches are still two "
            "dimensions; expected {expected_shape}.",
            "Which dimensions become one?",
            r"return",
        ),
        Mistake(
            "pixels_left_apart",
            ((FLAT, "return patches.flatten(1, 2)"),),
            "Your result has shape {your_shape}: a patch is still a small image; expected is a row "
            "of numbers, {expected_shape}.",
            "Which dimensions become one?",
            r"return",
        ),
        Mistake(
            "features_before_patches",
            ((FLAT, f"{FLAT}.transpose(1, 2)"),),
            "Your result has shape {your_shape}, (batch, features, patches), as F.unfold gives it; "
            "expected {expected_shape}.",
            "A patch is a word: what has the same place as `length`?",
            r"unfold|return",
        ),
        Mistake(
            "batch_lost",
            ((FLAT, "return patches.flatten(3).flatten(0, 2)"),),
            "Your result has shape {your_shape}: the patches of all images are in one row; "
            "expected {expected_shape}.",
            "The batch stays a dimension of its own.",
            r"view|reshape|flatten|cat",
        ),
        Mistake(
            "channels_averaged",
            ((FLAT, "return patches.mean(3).flatten(3).flatten(1, 2)"),),
            "You average the channels: {your_shape}, expected {expected_shape}.",
            "What is in a patch?",
            r"mean|sum",
        ),
        graph_cut((FLAT, f"{FLAT}.detach()"), whom="the images"),
        always_float32((FLAT, f"{FLAT}.float()")),
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

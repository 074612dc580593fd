"""The Transformer by hand: its exercises, and lessons around them that become notebooks.

COURSE is what the autograder is given of it.

places        where its other folders lie, in a checkout and where it was installed
checks        how each exercise is checked: probes, promises, hints
mistakes      what goes wrong in each: diffs, with what to say
stand_ins     small models that exercises are given
bank          right and wrong answers of others, by which the checks are judged

lesson        a lesson's Markdown, in parts
stubs         what a learner is given of solutions/
notebook      a lesson as a notebook
build         notebooks/ and exercises/ from lessons and solutions; `make notebooks`
last_built    what was built last, so that nothing that somebody has written is built over
copies        a learner's own copies of them; `autograder lessons DIR`
jupyter       how JupyterLab starts for learners: no news, no button for teachers
published     where it can be had: links to Colab and others, and a notebook's first cell
hosted        on Colab and Kaggle: the folder in which one's work survives
release       the notebooks of a ready nbgrader course; `autograder course DIR`
importable    what cells may import where a class is graded

work          the folder in which a learner's own versions and points are kept
mine          `from course.mine import softmax`: the learner's version, or a stand-by
stand_bys     for each piece a version that works, to build on until the learner's does; and
              broken ones, for break-it labs
update        a newer edition is brought in; `autograder update`
carry_over    what somebody has written, in its notebooks and files
reset         an exercise is a stub again; `autograder reset EXERCISE`
progress      what is done, tried, and next; `autograder progress`
quiz          questions that answer every wrong choice with why
capstone      lesson 6: a trained model is graded by what it writes
bridge        lesson 7: published weights in the learner's own code

seals         what a student's edition must not show: text that opens with a secret
sealed_quiz   a quiz without its key: a reply opens when its letter is given
sealed_hints  hints that open one after the other; checks without their text

figures       one look for all pictures
diagram       the architecture, drawn by code
widgets       sliders and painters, each with a picture where nothing runs
"""

import dataclasses

from autograder.engine.course import Command, Course

from .places import SEALED, make_importable

make_importable()

SYLLABUS = {
    "attention": (
        "softmax",
        "scaled_dot_product_attention",
        "causal_mask",
        "padding_mask",
        "self_attention",
    ),
    "multi_head": ("split_heads", "merge_heads", "MultiHeadAttention"),
    "positional_encoding": ("sinusoidal_encoding", "shift_matrix", "PositionalEncoding"),
    "encoder_block": ("LayerNorm", "FeedForward", "EncoderBlock", "Encoder"),
    "transformer": (
        "TokenEmbedding",
        "DecoderBlock",
        "Decoder",
        "Transformer",
        "count_parameters",
    ),
    "training": (
        "learning_rate",
        "smoothed_cross_entropy",
        "shift_right",
        "initialise",
        "greedy_decode",
        "beam_search",
    ),
    "variants": (
        "rotary_embedding",
        "alibi_bias",
        "sliding_window_mask",
        "sliding_window_attention",
        "tiled_attention",
        "CausalSelfAttention",
        "sample_token",
        "mask_tokens",
        "patchify",
        "MixtureOfExperts",
    ),
}

COURSE = Course(
    id="transformer_by_hand",
    title="The Transformer by hand",
    syllabus=SYLLABUS,
    checks="course.checks",
    reference="solutions",
    stand_bys="course.stand_bys",
    broken="course.stand_bys.broken:WRONG",
    stand_ins="course.stand_ins",
    mistakes="course/mistakes",
    bank="course/bank",
    calls={"check_quiz": "course.quiz:QUIZ", "check_translator": "course.capstone:CAPSTONE"},
    builds_from="course.mine",
    importable="course.importable:fill",
    assignments="course.release:assignments",
    edition="course.edition:make",
    after_check="course.work:after_check",
    depends_on="course.release:depends_on",
    commands={
        "progress": Command(
            "show which exercises are done, and what comes next", "course.progress:main"
        ),
        "reset": Command(
            "put an exercise's stub back; what you wrote is kept",
            "course.reset:main",
            {"EXERCISE": "its name, for example softmax"},
        ),
        "update": Command(
            "bring in the newest edition of the course, and keep what you have written",
            "course.update:main",
        ),
        "lesson": Command(
            "put one lesson with its exercises into this folder, and open it",
            "course.copies:one",
            {"NUMBER": "from 0 to 7"},
        ),
        "lessons": Command(
            "put the lessons' notebooks and exercises into a folder",
            "course.copies:main",
            {"DIR": "a new folder, or one to which what is missing is added"},
        ),
    },
    handed_in=(".pt",),
    distribution="transformer-by-hand",
)

if SEALED.is_dir():  # this is the students' edition
    COURSE = dataclasses.replace(
        COURSE,
        mistakes="course/sealed/mistakes",
        bank="",
        importable="",
        assignments="",
        edition="",
        depends_on="",
        commands={word: each for word, each in COURSE.commands.items() if word != "update"},
        for_students=True,
    )

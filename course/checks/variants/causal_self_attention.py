"""How CausalSelfAttention is checked."""

import torch

from autograder.engine.exercise import Exercise, Mistake, Property
from autograder.engine.trial import Answer, Call, StandIn, Trial

from ..shared import always_float32, graph_cut, levels, with_dtype, with_gradients, with_strides
from .shared import LATER, blank

BUILD = {"d_model": 12, "num_heads": 3}
POSITIONS = (None, "rotary", "alibi")


def read(draw, positions=None, build=None, batch=2, length=6, **trial):
    """A trial of the module with random weights that reads a sequence at once."""
    build = build or BUILD
    d_model, heads = build["d_model"], build["num_heads"]
    calls = [Call({"x": draw.normal(batch, length, d_model)})]
    state = draw.weights(draw.reference(**build))
    sizes = {"batch": batch, "length": length, "heads": heads}
    sizes |= {"d_model": d_model, "d_head": d_model // heads}
    options = {"positions": positions} if positions else {}
    return Trial(calls, build, options, state=state, sizes=sizes, **trial)


def read_in_pieces(draw, positions, pieces=(3, 1, 2), reads=()):
    """The same sequence piece by piece with one cache; then another one, with a new cache."""
    trial = read(draw, positions, length=sum(pieces))
    begins = StandIn("key_value_cache", {"capacity": 9, "begins": True})
    goes_on = StandIn("key_value_cache", {"capacity": 9})
    x = trial.calls[0].arguments["x"].split(pieces, dim=1)
    caches = [begins] + [goes_on] * (len(pieces) - 1)
    trial.calls = [Call({"x": piece, "cache": c}, reads=reads) for piece, c in zip(x, caches)]
    trial.calls.append(Call({"x": draw.normal(3, 4, 12), "cache": begins}, reads=reads))
    return trial


def read_at_once(draw):
    return read(draw)


def read_one_token(draw):
    return read(draw, batch=1, length=1)


def read_with_one_head(draw):
    return read(draw, build={"d_model": 6, "num_heads": 1}, batch=3, length=2)


def read_strided(draw):
    return with_strides(read(draw, length=5))


def read_rotary(draw):
    return read(draw, "rotary", build={"d_model": 16, "num_heads": 2}, length=5)


def read_alibi(draw):
    return read(draw, "alibi", length=5)


def read_alibi_with_more_heads(draw):
    return read(draw, "alibi", build={"d_model": 8, "num_heads": 4}, length=7)


def read_pieces(draw):
    return read_in_pieces(draw, None)


def read_pieces_rotary(draw):
    return read_in_pieces(draw, "rotary")


def read_pieces_alibi(draw):
    return read_in_pieces(draw, "alibi")


def read_token_by_token(draw):
    return read_in_pieces(draw, POSITIONS[draw.integer(0, 3)], (1, 1, 1))


def weights_at_once(draw):
    trial = read(draw, "rotary", length=5)
    trial.calls[0] = Call(trial.calls[0].arguments, reads=("weights",))
    return trial


def weights_in_pieces(draw):
    return read_in_pieces(draw, "alibi", (3, 2), reads=("weights",))


def read_gradients(draw):
    return with_gradients(read(draw, "rotary", length=5))


def read_in_float64(draw):
    return with_dtype(read(draw, length=5), torch.float64)


def read_in_bfloat16(draw):
    """A bias in float32 must not turn the scores into float32."""
    return with_dtype(read(draw, "alibi", length=5), torch.bfloat16)


DROPPED = 0.25
MANY = 1500


def read_with_dropout(draw):
    """All keys alike and all values 1: the second of two tokens shows which weights are left."""
    trial = read(draw)
    trial.options = {"dropout": DROPPED}
    trial.state = {name: torch.zeros_like(x) for name, x in trial.state.items()}
    trial.state["w_value.bias"] = torch.ones(12)
    trial.state["w_output.weight"] = torch.eye(12)
    x = {"x": draw.normal(MANY, 2, 12)}
    trial.calls = [Call(x, training=True), Call(x, training=True), Call(x)]
    trial.digest = what_was_dropped
    return trial


def what_was_dropped(answer):
    """The second token sees two keys: how much of them is left, in training and in eval mode?"""
    first, second, off = (answer.arrays.get(f"output{call}") for call in ("", *LATER[:2]))
    facts = dict(answer.facts)
    if any(x is None or x.shape != (MANY, 2, 12) for x in (first, second, off)):
        return Answer(blank(answer), facts)
    heads = first[:, 1].unflatten(-1, (3, 4)).double()
    facts["what is left of two weights in training"] = levels(heads)
    facts["that is 1 on average"] = bool((heads.mean() - 1).abs() < 0.07)
    facts["all features of a head lose the same"] = bool((heads == heads[..., :1]).all())
    facts["all heads lose the same"] = bool((heads == heads[:, :1]).all())
    facts["two calls in training are alike"] = torch.equal(first, second)
    facts["what is left in eval mode"] = levels(off)
    return Answer(blank(answer), facts)


def future_is_seen(seen):
    """A symptom: the first token sees nothing but itself."""
    yours, theirs = seen.yours["output"].float(), seen.theirs["output"].float()
    if yours.shape != theirs.shape or yours.dim() != 3 or yours.shape[1] < 3:
        return None
    right = ((yours - theirs).abs().amax((0, 2)) < 1e-3 * theirs.abs().max()).tolist()
    if right[-1] and not all(right):
        return (
            "The last token comes out right, which sees everything; those before do not. Do they "
            "see their future?"
        )
    if right[0] and not any(right[1:]):
        return (
            "Only the first token comes out right, the one that sees nothing but itself: look at "
            "how tokens see each other."
        )
    return None


IN = {name: f"split_heads(self.w_{name}(x), self.num_heads)" for name in ("query", "key", "value")}
TURN = "query, key = rotary_embedding(query, past), rotary_embedding(key, past)"
APPEND = "key, value = cache.append(key, value)"
LOOK_BACK = "output = self.look_back(query, key, value)"
KEEP = "self.weights = weights.detach()"
DROP = "self.dropout(weights) @ value"
OUT = "return self.w_output(merge_heads(output))"
LOOK_AT_PIECES = (
    "Read three tokens at once, then one by one with a cache, and print queries and keys both "
    "times: at which step do they differ?"
)
LOOK_AT_ROLES = "Which Linear meets which input, and where do the results go?"


def by_view(name):
    """Cut into heads without a transpose."""
    return f"self.w_{name}(x).reshape(x.shape[0], self.num_heads, x.shape[1], -1)"


ALIBI = 'if self.positions == "alibi":\n            bias'
MASKED = '.masked_fill(~causal_mask(length, query.device)[-new:], float("-inf"))'
# Which scores are hidden, in wrong ways.
FIRST_KEYS_OF_SOME = (  # one token alone needs no mask
    "(~causal_mask(key.shape[-2], key.device)[: query.shape[-2]]) & (query.shape[-2] > 1), "
    "float('-inf')"
)
FIRST_KEYS = "~causal_mask(key.shape[-2], key.device)[: query.shape[-2]], float('-inf')"
NEW_ALONE = (
    "~causal_mask(key.shape[-2], key.device)[-query.shape[-2] :] "
    "& (key.shape[-2] == query.shape[-2]), float('-inf')"
)


def attention_by_hand(hidden):
    """Variations in which look_back is not used: with and without ALiBi, with and without dropout,
    and `weights` either its own or those of look_back."""
    begin = (
        "scores = query @ key.transpose(-2, -1) / math.sqrt(query.shape[-1])\n"
        "        slopes = alibi_bias(self.num_heads, key.shape[2], x.device).to(x.dtype)\n"
    )
    add = '        scores = scores + slopes[:, -x.shape[1] :] * (self.positions == "alibi")\n'
    hide = f"        scores = scores.masked_fill({hidden})\n" if hidden else ""
    own = "        self.weights = softmax(scores).detach()\n"
    looked = "        self.look_back(query, key, value)\n"
    return tuple(
        ((LOOK_BACK, f"{begin}{bias}{hide}{kept}        output = {weights} @ value"),)
        for kept in (own, looked)
        for bias in (add, "")
        for weights in ("self.dropout(softmax(scores))", "softmax(scores)")
    )


CausalSelfAttention = Exercise(
    id="variants.CausalSelfAttention",
    properties=(
        Property(
            "parts",
            1,
            "the four projections are there under their names",
            aspects=("built", "names"),
        ),
        Property(
            "values",
            2,
            "a sequence read at once comes out right",
            (read_at_once, read_one_token, read_with_one_head, read_strided),
        ),
        Property(
            "positions",
            2,
            '"rotary" turns queries and keys, "alibi" takes from the scores',
            (read_rotary, read_alibi, read_alibi_with_more_heads),
        ),
        Property(
            "cache",
            3,
            "piece by piece with a cache gives the same as at once",
            (read_pieces, read_pieces_rotary, read_pieces_alibi, read_token_by_token),
            look=LOOK_AT_PIECES,
        ),
        Property(
            "weights",
            1,
            "`weights` shows the last attention weights",
            (weights_at_once, weights_in_pieces),
            look="look_back keeps the weights. Which queries and keys does it get from you?",
        ),
        Property(
            "gradients",
            1,
            "gradients reach x and all parameters",
            (read_gradients,),
            aspects=("gradient",),
        ),
        Property(
            "dropout",
            1,
            "dropout acts on the weights, in training only",
            (read_with_dropout,),
            look="look_back knows about dropout already.",
        ),
        Property(
            "dtype",
            1,
            "the result has the dtype of x, and x stays as it was",
            (read_in_float64, read_in_bfloat16),
            aspects=("dtype", "changed"),
        ),
    ),
    mistakes=(
        Mistake(
            "always_from_position_zero",
            ((TURN, "query, key = rotary_embedding(query), rotary_embedding(key)"),),
            "With a cache you turn each piece as if it were the first: the tokens of the second "
            "piece get positions 0, 1, … again.",
            LOOK_AT_PIECES,
            r"rotary",
        ),
        Mistake(
            "query_and_key_from_different_starts",
            ((TURN, "query, key = rotary_embedding(query), rotary_embedding(key, past)"),),
            "With a cache, your queries and keys are not counted from the same start: between a "
            "new query and a key you see a distance that is too small by all that the cache has "
            "read before.",
            LOOK_AT_PIECES,
            r"rotary",
        ),
        Mistake(
            "key_from_position_zero",
            ((TURN, "query, key = rotary_embedding(query, past), rotary_embedding(key)"),),
            "With a cache you turn the new queries from where they stand, and the new keys from "
            "position 0.",
            LOOK_AT_PIECES,
            r"rotary",
        ),
        Mistake(
            "all_keys_turned_again",
            (
                (
                    LOOK_BACK,
                    'if self.positions == "rotary" and cache is not None:\n'
                    "            key = rotary_embedding(key)\n"
                    f"        {LOOK_BACK}",
                ),
            ),
            "Your keys are turned twice: before they go into the cache, and when they come out of "
            "it.",
            "Do the keys in your cache know their position, or not?",
            r"rotary",
        ),
        Mistake(
            "counted_past_the_new_tokens",
            (
                (TURN, "pass"),
                (
                    APPEND,
                    f"{APPEND}\n            past = cache.length",
                ),
                (
                    LOOK_BACK,
                    'if self.positions == "rotary":\n'
                    "            query = rotary_embedding(query, past)\n"
                    "            key = rotary_embedding(key)\n"
                    f"        {LOOK_BACK}",
                ),
            ),
            "You turn the queries by the length of the cache after the new tokens have gone in; "
            "the first new one stands where it ended before.",
            "When do you ask the cache for its length?",
            r"length",
        ),
        Mistake(
            "only_query_turned",
            ((TURN, "query = rotary_embedding(query, past)"),),
            "You turn the queries and not the keys, so the scores depend on where the query "
            "stands, and not on the distance.",
            "Which two are compared?",
            r"rotary",
        ),
        Mistake(
            "only_key_turned",
            ((TURN, "key = rotary_embedding(key, past)"),),
            "You turn the keys and not the queries, so the scores depend on where the key stands, "
            "and not on the distance.",
            "Which two are compared?",
            r"rotary",
        ),
        Mistake(
            "values_turned",
            ((TURN, f"{TURN}\n            value = rotary_embedding(value, past)"),),
            "You turn the values as well. A value is handed over and not compared: it needs no "
            "position.",
            "Which two are compared?",
            r"rotary",
        ),
        Mistake(
            "turned_before_the_heads_were_cut",
            (
                (
                    TURN,
                    "query = split_heads(rotary_embedding(self.w_query(x), past), "
                    "self.num_heads)\n"
                    "            key = split_heads(rotary_embedding(self.w_key(x), past), "
                    "self.num_heads)",
                ),
            ),
            "You turn before the heads are cut: the angles are spread over d_model={d_model} "
            "features, where each head should have all of them over its own {d_head}.",
            "How wide is what you turn?",
            r"rotary",
        ),
        Mistake(
            "turned_by_head",
            (
                (
                    TURN,
                    "query = rotary_embedding(query.transpose(1, 2), past).transpose(1, 2)\n"
                    "            key = rotary_embedding(key.transpose(1, 2), past).transpose(1, 2)",
                ),
            ),
            "You turn while heads and length are swapped: a token is turned by the number of the "
            "head, and not by its position.",
            "Which dimension does rotary_embedding take for the positions?",
            r"rotary",
        ),
        Mistake(
            "x_turned",
            (
                (
                    "query = split_heads(self.w_query(x)",
                    'if self.positions == "rotary":\n'
                    "            x = rotary_embedding(x, past)\n"
                    "        query = split_heads(self.w_query(x)",
                ),
                (TURN, "pass"),
            ),
            "You turn x itself, before it is projected: values are turned with it, and the scores "
            "no longer depend on the distance alone.",
            "What are the two things whose dot product should feel the distance?",
            r"rotary",
        ),
        Mistake(
            "always_turned",
            (('if self.positions == "rotary":\n            query', "if True:\n            query"),),
            'You turn queries and keys also where positions is not "rotary".',
            "Which of your lines asks for `positions`?",
            r"rotary",
        ),
        Mistake(
            "never_turned",
            ((TURN, "pass"),),
            'With positions="rotary" nothing is turned: the order of the tokens before does not '
            "matter.",
            "Which of your lines asks for `positions`?",
            r"positions|rotary",
        ),
        Mistake(
            "alibi_ignored",
            ((ALIBI, "if False:\n            bias"),),
            'With positions="alibi" nothing is taken from the scores.',
            "What does look_back, which is there for you, do with the positions?",
            r"attention\(|softmax",
        ),
        Mistake(
            "future_seen",
            ((MASKED, ""),),
            "Every token sees the whole sequence, also what comes after it.",
            "What does look_back, which is there for you, know about the future?",
            r"attention\(|softmax",
            variations=attention_by_hand(""),
        ),
        Mistake(
            "causal_from_the_first_key",
            ((MASKED, f".masked_fill({FIRST_KEYS})"),),
            "With a cache your new tokens see only its first keys: the mask counts as if the first "
            "new query stood at position 0 (is_causal does so, too).",
            "Where does the last new query stand, in the whole sequence?",
            r"is_causal|causal_mask|tril|triu",
            variations=(*attention_by_hand(FIRST_KEYS), *attention_by_hand(FIRST_KEYS_OF_SOME)),
        ),
        Mistake(
            "causal_only_without_cache",
            ((MASKED, f".masked_fill({NEW_ALONE})"),),
            "With a cache every new token sees all new ones, also those that come after it: that "
            "is right only where one token comes at a time.",
            "What if three tokens are read at once, and a cache is there?",
            r"attention\(|is_causal|cache",
            variations=attention_by_hand(NEW_ALONE),
        ),
        Mistake(
            "cache_ignored",
            ((APPEND, "pass"),),
            "Your cache stays empty: with a cache each piece sees only itself.",
            "Where do keys and values go, so that the next piece finds them?",
            r"cache",
        ),
        Mistake(
            "cache_filled_but_not_read",
            ((APPEND, "cache.append(key, value)"),),
            "You store the new keys and values in the cache, but look back only at the new ones.",
            "What does append give back?",
            r"append",
        ),
        Mistake(
            "whole_memory_read",
            (
                (
                    APPEND,
                    "cache.append(key, value)\n            key, value = cache.keys, cache.values",
                ),
            ),
            "You look back at the whole memory that the cache has set aside, also where nothing "
            "has been written yet.",
            "What does append give back?",
            r"cache\.(keys|values)",
        ),
        Mistake(
            "appended_twice",
            ((APPEND, f"cache.append(key, value)\n            {APPEND}"),),
            "You append the new keys and values twice.",
            "Every call of append stores something.",
            r"append",
        ),
        Mistake(
            "keys_and_values_swapped_by_the_cache",
            ((APPEND, "value, key = cache.append(key, value)"),),
            "What comes back from the cache you take for (values, keys), and it is (keys, values).",
            "In which order does append give them back?",
            r"append",
        ),
        Mistake(
            "only_the_keys_are_kept",
            ((APPEND, "key, _ = cache.append(key, value)"),),
            "Keys come from the cache, but values only from the new tokens.",
            "Every key needs its own value.",
            r"append",
        ),
        Mistake(
            "cache_returned",
            ((OUT, f"{OUT}, cache"),),
            "You return the cache beside the output; expected is the output alone: the cache "
            "belongs to whoever handed it in.",
            "Compare your last line with the docstring.",
            r"return",
        ),
        Mistake(
            "no_output_projection",
            ((OUT, "return merge_heads(output)"),),
            "Your output is the heads side by side: w_output is there, but never used.",
            "What lets one head's findings reach the features of another?",
            r"return",
        ),
        Mistake(
            "split_by_view",
            tuple((IN[name], by_view(name)) for name in IN),
            "Your heads mix tokens: (batch, length, d_model) is reshaped straight to (batch, "
            "heads, length, d_head). All shapes are right, and the past is not hidden any more.",
            "What did you write in lesson 2 to cut tokens into heads?",
            r"view|reshape",
        ),
        Mistake(
            "merged_by_view",
            ((OUT, "return self.w_output(output.reshape(x.shape))"),),
            "Each head's result is right, but they are joined in the wrong order: (batch, heads, "
            "length, d_head) is reshaped straight to (batch, length, d_model).",
            "What did you write in lesson 2 to put heads together again?",
            r"view|reshape|flatten",
        ),
        Mistake(
            "one_head_of_full_width",
            (
                *(
                    (IN[name], IN[name].replace("self.num_heads)", "1)"))
                    for name in ("query", "key", "value")
                ),
                (
                    LOOK_BACK,
                    "kept = self.num_heads\n        self.num_heads = 1\n"
                    f"        {LOOK_BACK}\n"
                    "        self.num_heads = kept",
                ),
            ),
            "There is one head of width d_model={d_model}; asked for are {heads} of {d_head}.",
            "How many heads does split_heads make?",
            r"split|view|reshape|softmax",
        ),
        Mistake(
            "key_through_query_projection",
            ((IN["key"], IN["key"].replace("w_key", "w_query")),),
            "Your keys go through w_query, in place of w_key.",
            LOOK_AT_ROLES,
            r"w_query\(",
        ),
        Mistake(
            "value_through_key_projection",
            ((IN["value"], IN["value"].replace("w_value", "w_key")),),
            "Your values go through w_key, in place of w_value.",
            LOOK_AT_ROLES,
            r"w_key\(",
        ),
        Mistake(
            "query_and_key_swapped",
            (
                (f"query = {IN['query']}", f"query = {IN['key']}"),
                (f"        key = {IN['key']}", f"        key = {IN['query']}"),
            ),
            "Queries go through w_key and keys through w_query.",
            LOOK_AT_ROLES,
            r"w_key\(",
        ),
        Mistake(
            "values_not_projected",
            ((IN["value"], "split_heads(x, self.num_heads)"),),
            "Your values are x itself: w_value is never used.",
            LOOK_AT_ROLES,
            r"value",
        ),
        Mistake(
            "scaled_twice",
            ((LOOK_BACK, LOOK_BACK.replace("(query,", "(query / query.shape[-1] ** 0.5,")),),
            "Your scores are divided by the root of d_head={d_head} twice.",
            "look_back scales by itself.",
            r"sqrt|\*\* ?-?0\.5",
        ),
        Mistake(
            "weights_not_kept",
            ((KEEP, "pass"),),
            "The output is right, but `weights` holds nothing after a call.",
            "look_back keeps the weights. If you attend in your own way, keep them as well.",
            r"weights|softmax|attention\(|return",
        ),
        Mistake(
            "weights_of_new_keys_only",
            (
                (
                    "if cache is not None:",
                    "self.look_back(query, key, value)\n        kept = self.weights\n"
                    "        if cache is not None:",
                ),
                (LOOK_BACK, f"{LOOK_BACK}\n        self.weights = kept"),
            ),
            "The output is right, but with a cache `weights` knows only the new keys, and not "
            "those of the past.",
            "From which keys do you work out the weights that you keep?",
            r"weights",
        ),
        Mistake(
            "weights_not_detached",
            ((KEEP, "self.weights = weights"),),
            "Your `weights` still hang on torch's graph: as long as they are kept, so is all the "
            "memory of the last forward pass.",
            "What is only to be looked at needs no gradient.",
            r"weights",
        ),
        Mistake(
            "weights_of_unturned",
            (
                (
                    'if self.positions == "rotary":\n            query',
                    "self.look_back(query, key, value)\n        kept = self.weights\n"
                    '        if self.positions == "rotary":\n            query',
                ),
                (LOOK_BACK, f"{LOOK_BACK}\n        self.weights = kept"),
            ),
            "Your `weights` are those of queries and keys before they are turned, or before those "
            "of the past are there.",
            "At which moment do you work out the weights that you keep?",
            r"weights",
        ),
        Mistake(
            "dropout_never",
            ((DROP, "weights @ value"),),
            "In training nothing is dropped: `dropout` is not used.",
            "Where do the weights go, once the softmax has made them?",
            r"dropout|attention\(",
        ),
        Mistake(
            "dropout_always",
            ((DROP, "F.dropout(weights, self.dropout.p) @ value"),),
            "Your dropout also acts in eval mode, so that two calls of a trained model differ.",
            "F.dropout has to be told whether the module is training; nn.Dropout knows.",
            r"dropout",
        ),
        Mistake(
            "dropout_on_output",
            (
                (DROP, "weights @ value"),
                ("merge_heads(output)", "self.dropout(merge_heads(output))"),
            ),
            "Your dropout acts on the heads' output, and not on the weights.",
            "What is to be dropped: what a query looks at, or what it has found?",
            r"dropout",
        ),
        Mistake(
            "dropout_twice",
            (("merge_heads(output)", "self.dropout(merge_heads(output))"),),
            "Besides the weights, as asked for, your dropout acts on the output as well.",
            "look_back knows about dropout already.",
            r"dropout",
        ),
        Mistake(
            "residual_inside",
            ((OUT, f"{OUT} + x"),),
            "You add x to the output. The residual belongs to the block, which adds it once more.",
            "Compare with the formula of multi-head attention: is there a sum in it?",
            r"\+",
        ),
        graph_cut((OUT, f"{OUT}.detach()"), whom="x and the projections"),
        always_float32((OUT, f"{OUT}.float()")),
    ),
    hints=(
        "Without a cache and without positions this is lesson 2's module with x in all three "
        "places. Write that first; then ask what each of the two additions changes.",
        "Queries and keys learn their position before they are compared; a key that is kept can be "
        "kept with its position. What the cache gives back are the keys and values of the whole "
        "past, the new ones at the end.",
        "Three lines that project and split; one that turns queries and keys from `past` on, if "
        "asked; one that appends and takes back, if there is a cache; look_back, which keeps the "
        "weights as well; merge and project.",
    ),
    symptoms=(future_is_seen,),
)

"""Long texts from coarse to fine."""

import numpy as np

from xplain_cli.modalities.text.masks import TextMasker
from xplain_cli.modalities.text.refine import RoughWeights, refine


def test_refining_goes_from_blocks_to_the_words_of_the_strongest_sentence():
    sentences = [f"word{i} plain{i}." for i in range(200)]
    rows = TextMasker(refine=1).split([" ".join(sentences)])
    levels = []

    def weigh(coarse, due):
        levels.append(int(coarse.counts[0]))
        spans = [unit.spans[0] for unit in coarse.units[0]]
        inside = [low <= rows.inputs[0].index("word77 ") < high for low, high in spans]
        return RoughWeights(
            {i: np.array(inside, dtype=float) for i in due}, dict.fromkeys(due, 100)
        )

    found, spent = refine(rows, 1, weigh)
    assert levels == [50, 4]
    assert [unit.text for unit in found.units[0]] == ["word77", "plain77"]
    assert spent.asked == {0: 200}

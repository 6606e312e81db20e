"""How well texts are predicted."""

import math
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from trainkit import autograd
from trainkit.autograd import no_grad
from trainkit.errors import ArgumentError, DTypeError, ShapeError
from trainkit.metrics.arrays import Array, pair_of
from trainkit.metrics.metric import Metric, as_it_is
from trainkit.nn.functional import cross_entropy

__all__ = ["Bleu", "Perplexity"]

_SMOOTH = ("no_smooth", "smooth1", "nltk_smooth2", "smooth2")


class Perplexity(Metric):
    """The exponential of the mean cross-entropy of tokens: `update((y_pred, y))`, scores (N, C, ...), classes (N, ...).

    Args:
        output_transform: makes the pair of the output of an engine.
        device: the CPU.
        ignore_index: the class of targets that do not count.

    >>> import numpy as np
    >>> perplexity = Perplexity()
    >>> perplexity.update((np.zeros((2, 4, 3)), np.array([[0, 1, 2], [3, 2, -100]])))
    >>> round(perplexity.compute(), 12)
    4.0
    """

    higher_is_better = False
    state_names = ("total", "num_tokens")

    def __init__(
        self, output_transform: Callable[[Any], Any] = as_it_is, device: Any = "cpu", ignore_index: int = -100
    ) -> None:
        self.ignore_index = ignore_index
        super().__init__(output_transform, device)

    def reset(self) -> None:
        """Forget all tokens."""
        self.total = 0.0
        self.num_tokens = 0

    def update(self, output: Any) -> None:
        """Take in scores and classes.

        Raises:
            ShapeError: the shapes do not fit each other.
            DTypeError: the scores are no floating-point numbers, or the classes no integers.
            IndexRangeError: a class is none of those that have scores.
        """
        y_pred, y = pair_of(output, self)
        if y_pred.ndim != y.ndim + 1 or y.ndim < 1 or y_pred.shape[:1] + y_pred.shape[2:] != y.shape:
            raise ShapeError(
                f"Perplexity expected scores (N, C, ...) and classes (N, ...), got {y_pred.shape} and {y.shape}"
            )
        if y_pred.dtype.kind != "f" or y.dtype.kind not in "iu":
            raise DTypeError(
                f"Perplexity expected floating-point scores and integer classes, got {y_pred.dtype} and {y.dtype}"
            )
        count = int(np.count_nonzero(y != self.ignore_index))
        if count:
            scores, classes = autograd.as_tensor(y_pred), autograd.as_tensor(y.astype(np.int64))
            with no_grad():
                losses = cross_entropy(scores, classes, ignore_index=self.ignore_index, reduction="none")
            self.total += float(losses.array.sum(dtype=np.float64))
            self.num_tokens += count

    def compute(self) -> float:
        """Return the perplexity, from 1 up.

        Raises:
            NotComputableError: there were no tokens that count.
        """
        self._need(self.num_tokens)
        mean = self.total / self.num_tokens
        return math.inf if mean > 709 else math.exp(mean)  # where float64 ends


class Bleu(Metric):
    """The overlap of texts with reference texts, as lists of tokens: `update((texts, references))`.

    Each text has a list of references: `update(([["a", "cat"]], [[["the", "cat"], ["a", "cat"]]]))`.

    Args:
        ngram: how many tokens in a row count at most.
        smooth: what stands in for precisions of 0: "no_smooth", "smooth1" (0.1 matches where there are none),
            "smooth2" (one more match and one more of all above one token), "nltk_smooth2" (the same of texts shorter
            than `ngram`).
        output_transform: makes the pair of the output of an engine.
        device: the CPU.
        average: "macro" is the mean over texts, "micro" the score of all texts as one.

    Raises:
        ArgumentError: there is no such method, or `ngram` is not positive.

    Source: K. Papineni, S. Roukos, T. Ward, W.-J. Zhu, BLEU: a Method for Automatic Evaluation of Machine Translation,
    2002; C.-Y. Lin, F. J. Och, Automatic Evaluation of Machine Translation Quality Using Longest Common Subsequence and
    Skip-Bigram Statistics, 2004 (smooth2).

    >>> bleu = Bleu(ngram=2)
    >>> bleu.update((["the cat sat".split()], [["the cat sat down".split(), "a cat sat".split()]]))
    >>> round(bleu.compute(), 12)
    1.0
    """

    higher_is_better = True
    state_names = ("total", "num_texts", "matches", "possible", "length", "reference_length")

    def __init__(
        self,
        ngram: int = 4,
        smooth: str = "no_smooth",
        output_transform: Callable[[Any], Any] = as_it_is,
        device: Any = "cpu",
        average: str = "macro",
    ) -> None:
        if not isinstance(ngram, int) or ngram < 1:
            raise ArgumentError(f"ngram expected a positive integer, got {ngram!r}")
        if smooth not in _SMOOTH:
            raise ArgumentError(f"smooth expected one of {', '.join(_SMOOTH)}, got {smooth!r}")
        if average not in ("macro", "micro"):
            raise ArgumentError(f"average expected 'macro' or 'micro', got {average!r}")
        self.ngram = ngram
        self.smooth = smooth
        self.average = average
        super().__init__(output_transform, device)

    def reset(self) -> None:
        """Forget all texts."""
        self.total = 0.0
        self.num_texts = self.length = self.reference_length = 0
        self.matches = np.zeros(self.ngram, np.int64)
        self.possible = np.zeros(self.ngram, np.int64)

    def update(self, output: Any) -> None:
        """Take in texts and their references.

        Raises:
            ArgumentError: there are not as many of both, or a text is a string.
        """
        if not isinstance(output, (tuple, list)) or len(output) != 2:
            raise ArgumentError(f"Bleu expected (texts, references), got {type(output).__name__}")
        texts, references = output
        if len(texts) != len(references):
            raise ArgumentError(f"Bleu expected a list of references a text, got {len(references)} for {len(texts)}")
        for text, own in zip(texts, references, strict=True):
            if isinstance(text, str) or not len(own) or any(isinstance(reference, str) for reference in own):
                raise ArgumentError(
                    f"Bleu expected lists of tokens and a list of such references a text, got {text!r} and {own!r}; "
                    "split() makes tokens of a string"
                )
            counts = self._counted(text, own)
            if self.average == "macro":
                self.total += self._score(*counts)
            else:
                self.matches, self.possible = self.matches + counts[0], self.possible + counts[1]
                self.length, self.reference_length = self.length + counts[2], self.reference_length + counts[3]
            self.num_texts += 1

    def compute(self) -> float:
        """Return the score, 0 to 1.

        Raises:
            NotComputableError: there were no texts.
        """
        self._need(self.num_texts)
        if self.average == "macro":
            return self.total / self.num_texts
        return self._score(self.matches, self.possible, self.length, self.reference_length)

    def _counted(self, text: Sequence[Any], references: Sequence[Sequence[Any]]) -> tuple[Array, Array, int, int]:
        """Return matches and number of n-grams of each order, the length, and that of the closest reference."""
        matches, possible = np.zeros(self.ngram, np.int64), np.zeros(self.ngram, np.int64)
        for order in range(self.ngram):
            ours = _ngrams(text, order + 1)
            allowed: Counter[tuple[Any, ...]] = Counter()
            for reference in references:
                allowed |= _ngrams(reference, order + 1)
            matches[order] = (ours & allowed).total()
            possible[order] = ours.total()
        closest = min((len(reference) for reference in references), key=lambda n: (abs(n - len(text)), n))
        return matches, possible, len(text), closest

    def _score(self, matches: Array, possible: Array, length: int, reference_length: int) -> float:
        if not matches[0] or (self.smooth == "no_smooth" and not matches.all()):
            return 0.0
        penalty = math.exp(1 - reference_length / length) if length < reference_length else 1.0
        logarithms = [
            math.log(self._precision(order, *counts))
            for order, counts in enumerate(zip(matches.tolist(), possible.tolist(), strict=True))
        ]
        return penalty * math.exp(math.fsum(logarithms) / self.ngram)

    def _precision(self, order: int, matches: int, possible: int) -> float:
        if self.smooth == "smooth1":
            return (matches or 0.1) / max(1, possible)
        if self.smooth == "no_smooth" or order == 0:
            return matches / possible
        return (matches + 1) / ((max(1, possible) if self.smooth == "nltk_smooth2" else possible) + 1)


def _ngrams(tokens: Sequence[Any], order: int) -> Counter[tuple[Any, ...]]:
    return Counter(tuple(tokens[i : i + order]) for i in range(len(tokens) - order + 1))

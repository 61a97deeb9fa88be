"""The articles' claims as hypotheses, stated before anything is run: what is measured, on which tasks, and which bound
supports a claim. `measures` has the arithmetic.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from steepest.articles import measures
from steepest.articles.measures import Figure
from steepest.articles.studies import AVERAGED, BASIC, HEAVY_BALL
from steepest.messages import mark
from steepest.reader import StudyReader

Studies = Mapping[str, StudyReader]
Word = Literal["supported", "not supported", "mixed", "not measured"]
WORDS: tuple[Word, ...] = (mark("supported"), mark("not supported"), mark("mixed"), mark("not measured"))
Answer = Literal["yes", "no", "open"]

A_POINT = 4.0
"""Practical margins: one point of accuracy."""
DENSE, SPARSE = ("digits", "digits-linear", "housing"), ("movielens", "news-bow")


@dataclass(frozen=True)
class Bound:
    """A figure supports the claim if its whole interval lies at `at` or beyond it, on the side `side`. It contradicts
    the claim if its whole interval lies on the other side, and leaves it open otherwise."""

    side: Literal["above", "below"]
    at: float

    def answer(self, figure: Figure) -> Answer:
        low, high = (figure.low, figure.high) if self.side == "above" else (-figure.high, -figure.low)
        at = self.at if self.side == "above" else -self.at
        return "yes" if low >= at else "no" if high < at else "open"


@dataclass(frozen=True)
class NoMoreThan:
    """Supported if the whole interval lies within ± `at`; contradicted if all of it lies outside."""

    at: float

    def answer(self, figure: Figure) -> Answer:
        if max(figure.high, -figure.low) <= self.at:
            return "yes"
        return "no" if figure.low > self.at or figure.high < -self.at else "open"


@dataclass(frozen=True)
class NotBehind:
    """Supported if the whole interval of the gap to the best lies below `at` (non-inferiority): a study that is too
    small to see a gap does not support that there is none. Contradicted by a gap that is significant and at least the
    practical margin."""

    at: float

    def answer(self, figure: Figure) -> Answer:
        if figure.high <= self.at:
            return "yes"
        return "no" if figure.low > 0 and figure.value >= 1 else "open"


@dataclass(frozen=True)
class Hypothesis:
    """A claim that is tested."""

    key: str
    claim: str
    """What the articles say, in our words."""
    stated: str
    """What is expected if they are right."""
    unit: str
    """Of the figures."""
    measure: Callable[[Studies], Sequence[Figure]]
    rule: Bound | NoMoreThan | NotBehind
    reason: str
    """Why the outcome is what it is, as far as is known."""
    source: Literal["A", "B"]
    """A: the study of adaptive rates. B: the tutorial."""


@dataclass(frozen=True)
class JudgedClaim:
    """A claim, its figures and its outcome."""

    hypothesis: Hypothesis
    figures: tuple[Figure, ...]
    answers: tuple[Answer, ...]

    @property
    def word(self) -> Word:
        """Supported if every figure supports it, not supported if none does, mixed otherwise."""
        if not self.answers:
            return "not measured"
        yes = self.answers.count("yes")
        return "supported" if yes == len(self.answers) else "mixed" if yes else "not supported"


def judge(hypothesis: Hypothesis, studies: Studies) -> JudgedClaim:
    """Judge a claim on the data; "not measured" if one of its studies is missing."""
    try:
        figures = tuple(hypothesis.measure(studies))
    except KeyError:
        figures = ()
    return JudgedClaim(hypothesis, figures, tuple(hypothesis.rule.answer(each) for each in figures))


def _over(
    key: str, tasks: Sequence[str], fn: Callable[[StudyReader, str], Figure]
) -> Callable[[Studies], list[Figure]]:
    """The same measure on each of a study's available tasks."""

    def named(figure: Figure) -> Figure:
        return replace(figure, of=f"{figure.of}, long") if key == "long" else figure

    return lambda studies: [named(fn(studies[key], task)) for task in tasks if measures.has(studies[key], task)]


def _all(*parts: Callable[[Studies], Sequence[Figure]]) -> Callable[[Studies], list[Figure]]:
    return lambda studies: [figure for part in parts for figure in part(studies)]


def _everywhere(fn: Callable[[StudyReader, str], Figure]) -> Callable[[Studies], list[Figure]]:
    return _all(_over("dense", DENSE, fn), _over("sparse", SPARSE, fn))


def _others(name: str, among: Sequence[str] = BASIC) -> tuple[str, ...]:
    return tuple(each for each in among if each != name)


HYPOTHESES = (
    Hypothesis(
        "adam-accurate",
        "Adam reaches high accuracy in most cases.",
        "On every task, dense or sparse, Adam is at most a point behind the best.",
        "gap to the best, in practical margins",
        _everywhere(lambda s, t: measures.behind_best(s, t, "adam")),
        NotBehind(A_POINT),
        "Its steps are scaled to each parameter, so one rate suits most of them. That need not give a lead: other "
        "methods may do as well when they are tuned with the same effort.",
        "A",
    ),
    Hypothesis(
        "adam-fast",
        "Adam converges fast.",
        "With each method at its own best rate, Adam needs fewer steps to 95 % of the way than the median of the "
        "other four on the same seed.",
        "steps to the target, relative to the others' median (below 1 is faster)",
        _everywhere(lambda s, t: measures.speed(s, t, "adam", _others("adam"))),
        Bound("below", 1.0),
        "A rate is selected for the final result, not for speed. At the rate with the best final result, a method "
        "may reach the target late.",
        "A",
    ),
    Hypothesis(
        "adam-untuned",
        "Adam needs little tuning.",
        "At its library's default rate, Adam is at most one point (four practical margins) worse than tuned.",
        "gap to tuned Adam, in practical margins",
        _everywhere(lambda s, t: measures.worth_of_tuning(s, t, "adam")),
        NoMoreThan(A_POINT),
        "The default rate of 0.001 was chosen for long training of large networks. When training is short, as here, "
        "it may end before the model has converged.",
        "A",
    ),
    Hypothesis(
        "rmsprop-sparse",
        "RMSProp does well on sparse data.",
        "On both sparse tasks RMSProp is ahead of SGD, tuned with the same budget, by more than one point (four "
        "practical margins).",
        "lead over SGD, in practical margins",
        _over("sparse", SPARSE, lambda s, t: measures.lead(s, t, "rmsprop", "sgd")),
        Bound("above", A_POINT),
        "A parameter that seldom has a gradient takes a long step when it gets one, because its average of g² has "
        "decayed in the meantime. SGD has one rate for all parameters, and the frequent ones limit it.",
        "A",
    ),
    Hypothesis(
        "rmsprop-above-all",
        "RMSProp is the best method on sparse data.",
        "On both sparse tasks RMSProp is ahead of Adam and of AdaGrad.",
        "lead over the other method, in practical margins",
        _all(
            _over("sparse", SPARSE, lambda s, t: measures.lead(s, t, "rmsprop", "adam")),
            _over("sparse", SPARSE, lambda s, t: measures.lead(s, t, "rmsprop", "adagrad")),
        ),
        Bound("above", 0.0),
        "Adam and AdaGrad scale each parameter's step as well: the benefit on sparse data is common to all three.",
        "A",
    ),
    Hypothesis(
        "adagrad-early",
        "AdaGrad reduces the loss fast at first.",
        "With each method at its own best rate, AdaGrad needs fewer steps to 95 % of the way than the median of the "
        "others on the same seed.",
        "steps to the target, relative to the others' median (below 1 is faster)",
        _all(
            _over("dense", DENSE, lambda s, t: measures.speed(s, t, "adagrad", _others("adagrad"))),
            _over(
                "long",
                ("digits-linear", "digits"),
                lambda s, t: measures.speed(s, t, "adagrad", ("sgd", "rmsprop", "adam")),
            ),
        ),
        Bound("below", 1.0),
        "Its sum of squares is small at first, so its first steps are its longest. It can afford them because they "
        "decrease later, as under a schedule.",
        "A",
    ),
    Hypothesis(
        "adagrad-starves",
        "AdaGrad's rate shrinks towards zero in long training.",
        "In training nearly seven times as long as usual, its median effective step falls to a fifth or less.",
        "decrease of the median effective step, as a factor",
        _over("long", ("digits-linear", "digits"), lambda s, t: measures.shrinking(s, t, "adagrad")),
        Bound("above", 5.0),
        "The sum grows with the size of the gradients. Once the loss is low, the gradients are small and the sum "
        "hardly grows: the step may level off instead of vanishing.",
        "A",
    ),
    Hypothesis(
        "adagrad-stalls",
        "AdaGrad stalls late in long training.",
        "At the end of long training, the verdict ranks AdaGrad behind the best.",
        "gap to the best, in practical margins",
        _over("long", ("digits-linear", "digits"), lambda s, t: measures.behind_best(s, t, "adagrad")),
        Bound("above", 1.0),
        "This depends on the previous claim: whether the step shrinks so far that training stops. A decreasing rate "
        "also helps late in training, when the noise of a fixed rate keeps the model away from the minimum.",
        "A",
    ),
    Hypothesis(
        "rate-too-large",
        "A fixed rate that is too large oscillates or diverges.",
        "At ten times its best rate, SGD loses more than a twentieth of the way from an untrained model to its best.",
        "share of the way that is lost",
        _over("dense", DENSE, lambda s, t: measures.lost_at(s, t, "sgd", 10.0)),
        Bound("above", 0.05),
        "Beyond 2/sharpness, a step overshoots the minimum by more than its distance to it. Networks can move to "
        "flatter regions for a while; at ten times the best rate, that is not enough.",
        "A",
    ),
    Hypothesis(
        "rate-too-small",
        "A fixed rate that is too small gets stuck.",
        "At a tenth of its best rate, SGD loses more than a twentieth of the way from an untrained model to its best.",
        "share of the way that is lost",
        _over("dense", DENSE, lambda s, t: measures.lost_at(s, t, "sgd", 0.1)),
        Bound("above", 0.05),
        "Training is slow rather than stuck: how much is lost depends on how long it lasts.",
        "A",
    ),
    Hypothesis(
        "momentum-damps",
        "Momentum damps oscillation.",
        "With each at its own best rate, fewer updates reverse direction from one step to the next with momentum "
        "than with SGD.",
        "share of updates that reverse direction: SGD minus momentum",
        _all(
            _over("bouncing", ("quadratic",), lambda s, t: measures.turning(s, t, "momentum", "sgd")),
            _over("dense", DENSE, lambda s, t: measures.turning(s, t, "momentum", "sgd")),
        ),
        Bound("above", 0.0),
        "The velocity averages some ten gradients. Components that alternate in sign cancel, whether they come from "
        "the steep walls of a valley or from the noise of batches. Of updates in random directions, half would "
        "reverse.",
        "B",
    ),
    Hypothesis(
        "sgd-equal-samples",
        "SGD with one example per step converges faster, because it updates more often.",
        "After the same number of examples, with each at its own best rate, one example per step is ahead of 32 and "
        "of the full batch.",
        "lead over the larger batch, in practical margins",
        lambda studies: [
            measures.lead(studies["batches"], "digits", "sgd@1", other) for other in ("sgd@32", "sgd@full")
        ],
        Bound("above", 1.0),
        "For the same number of examples it takes 32 steps where a batch of 32 takes one. A full batch takes only a "
        "handful of steps, so the difference is large. It is smaller for 32, because one large step can replace many "
        "small ones.",
        "B",
    ),
    Hypothesis(
        "sgd-equal-seconds",
        "SGD with one example per step converges faster in equal training time.",
        "After the same training time, with each at its own best rate, one example per step is ahead of 32 and of "
        "the full batch.",
        "lead over the larger batch, in practical margins",
        lambda studies: [
            measures.lead(studies["batches"], "digits (equal seconds)", "sgd@1", other)
            for other in ("sgd@32", "sgd@full")
        ],
        Bound("above", 1.0),
        "A step costs nearly the same for 1 example and for 32, because most of its time goes into calling kernels. "
        "Times were measured on a shared machine, so the horizons of this comparison are approximate.",
        "B",
    ),
    Hypothesis(
        "epsilon-place",
        "It makes no difference whether ε is inside the root, as printed, or outside, as in libraries.",
        "For AdaGrad and RMSProp, the two forms, both tuned, differ by at most one point (four practical margins).",
        "lead of the standard form over the printed one, in practical margins",
        lambda studies: [
            measures.lead(studies["printed"], task, rule, f"{rule}-printed")
            for task in ("digits", "housing")
            if measures.has(studies["printed"], task)
            for rule in ("adagrad", "rmsprop")
        ],
        NoMoreThan(A_POINT),
        "Inside the root, ε = 10⁻⁸ takes effect at gradients of 10⁻⁴; outside, at 10⁻⁸. It holds back parameters "
        "with tiny gradients, of which there may be few or many.",
        "B",
    ),
    Hypothesis(
        "adam-printed-tuned",
        "Adam as printed is as good as Kingma and Ba's.",
        "Both tuned, they differ by at most one point (four practical margins).",
        "lead of the standard form over the printed one, in practical margins",
        _over("printed", ("digits", "housing"), lambda s, t: measures.lead(s, t, "adam", "adam-printed")),
        NoMoreThan(A_POINT),
        "The steps of the printed form are ten times as long at first and decrease to Adam's over thousands of "
        "steps. This acts like a schedule, and a rate a few times smaller compensates for it.",
        "B",
    ),
    Hypothesis(
        "adam-printed-untuned",
        "Adam as printed is as good as Kingma and Ba's at the same rate.",
        "Both at the rate 0.001, they differ by at most one point (four practical margins).",
        "lead of the standard form over the printed one, in practical margins",
        _over("untuned", ("digits", "housing"), lambda s, t: measures.lead(s, t, "adam", "adam-printed")),
        NoMoreThan(A_POINT),
        "At the same rate, longer first steps act like a larger rate. Where 0.001 is too small, that is an advantage.",
        "B",
    ),
    Hypothesis(
        "two-momenta",
        "Averaged momentum is heavy-ball momentum at another rate.",
        "At η and η/(1 − β), the same seeds give the same test values to within half a practical margin.",
        "largest difference, in practical margins",
        lambda studies: [
            measures.largest_difference(
                studies["matched"],
                "digits",
                dict(zip(HEAVY_BALL, AVERAGED, strict=True)),
                "momentum",
                "momentum-averaged",
            )
        ],
        NoMoreThan(0.5),
        "One velocity is 1 − β times the other at every step, so the two differ only by rounding.",
        "B",
    ),
)
"""In the order of the chapter. One more claim, the tutorial's second fit, is in `second_fit`."""

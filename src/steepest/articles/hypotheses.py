"""The articles' claims as hypotheses, stated before anything is run: what is measured, on which tasks, and which bound
supports a claim. Rows of a table; `measures` has the arithmetic.
"""

from __future__ import annotations

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
    """Which figures bear a claim out: those whose whole interval lies at `at` or beyond it, on the side `side`. One
    whose whole interval lies on the other side speaks against it; any other leaves it open."""

    side: Literal["above", "below"]
    at: float

    def answer(self, figure: Figure) -> Answer:
        low, high = (figure.low, figure.high) if self.side == "above" else (-figure.high, -figure.low)
        at = self.at if self.side == "above" else -self.at
        return "yes" if low >= at else "no" if high < at else "open"


@dataclass(frozen=True)
class NoMoreThan:
    """A difference shown to be small: the whole interval lies within ± `at`; against it, the whole lies outside."""

    at: float

    def answer(self, figure: Figure) -> Answer:
        if max(figure.high, -figure.low) <= self.at:
            return "yes"
        return "no" if figure.low > self.at or figure.high < -self.at else "open"


@dataclass(frozen=True)
class NotShownBehind:
    """A gap to the best that is not significant, or that is below the practical margin."""

    def answer(self, figure: Figure) -> Answer:
        return "no" if figure.low > 0 and figure.value >= 1 else "yes"


@dataclass(frozen=True)
class Hypothesis:
    """A claim that is tested."""

    key: str
    claim: str
    """What the articles say, in our words."""
    stated: str
    """What is expected if they are right, and what would speak against it."""
    unit: str
    """Of the figures."""
    measure: Callable[[Studies], Sequence[Figure]]
    rule: Bound | NoMoreThan | NotShownBehind
    reason: str
    """Why it comes out as it does, as far as is known."""
    source: Literal["A", "B"]
    """A: the study of adaptive rates. B: the tutorial."""


@dataclass(frozen=True)
class Trial:
    """A claim, its figures and its outcome."""

    hypothesis: Hypothesis
    figures: tuple[Figure, ...]
    answers: tuple[Answer, ...]

    @property
    def word(self) -> Word:
        """Supported if every figure bears it out, not supported if none does, mixed otherwise."""
        if not self.answers:
            return "not measured"
        yes = self.answers.count("yes")
        return "supported" if yes == len(self.answers) else "mixed" if yes else "not supported"


def judge(hypothesis: Hypothesis, studies: Studies) -> Trial:
    """A claim on the data; "not measured" where a study of its is missing."""
    try:
        figures = tuple(hypothesis.measure(studies))
    except KeyError:
        figures = ()
    return Trial(hypothesis, figures, tuple(hypothesis.rule.answer(each) for each in figures))


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
        "On every task, dense or sparse, the verdict has Adam as the best or cannot tell it from the best.",
        "behind the best, in practical margins",
        _everywhere(lambda s, t: measures.behind_best(s, t, "adam")),
        NotShownBehind(),
        "Its steps are scaled to each parameter, so that one rate suits most of them. That need not buy a lead: tuned "
        "with the same care, other methods may do as well.",
        "A",
    ),
    Hypothesis(
        "adam-fast",
        "Adam converges fast.",
        "Each method at its own best rate: Adam needs fewer steps to 95 % of the way than the median of the other four "
        "needs on the same seed.",
        "steps to the target, as a multiple of the others' median (below 1 is quicker)",
        _everywhere(lambda s, t: measures.speed(s, t, "adam", _others("adam"))),
        Bound("below", 1.0),
        "A rate is picked for where training ends, not for how soon it is near: a method may be slow to the target at "
        "the very rate that serves it best in the end.",
        "A",
    ),
    Hypothesis(
        "adam-untuned",
        "Adam needs little tuning.",
        "At the rate that its library has as default, Adam is worse than tuned by no more than one point (four "
        "practical margins).",
        "worse than tuned, in practical margins",
        _everywhere(lambda s, t: measures.worth_of_tuning(s, t, "adam")),
        NoMoreThan(A_POINT),
        "The default rate of 0.001 was chosen for long training of large networks. Where training is short, as here, "
        "it may leave the model on its way.",
        "A",
    ),
    Hypothesis(
        "rmsprop-sparse",
        "RMSProp does well on sparse data.",
        "On both sparse tasks RMSProp is ahead of SGD with the same budget of tuning by more than one point (four "
        "practical margins).",
        "ahead of SGD, in practical margins",
        _over("sparse", SPARSE, lambda s, t: measures.lead(s, t, "rmsprop", "sgd")),
        Bound("above", A_POINT),
        "A parameter that seldom has a gradient gets a long step when it has one, because its average has decayed "
        "meanwhile. SGD has one rate for all, and the frequent parameters set its limit.",
        "A",
    ),
    Hypothesis(
        "rmsprop-above-all",
        "Sparse data are where RMSProp does best of all.",
        "On both sparse tasks it is ahead of Adam and of AdaGrad.",
        "ahead of the other, in practical margins",
        _all(
            _over("sparse", SPARSE, lambda s, t: measures.lead(s, t, "rmsprop", "adam")),
            _over("sparse", SPARSE, lambda s, t: measures.lead(s, t, "rmsprop", "adagrad")),
        ),
        Bound("above", 0.0),
        "Adam and AdaGrad scale each parameter's step as well: what helps on sparse data is common to the family.",
        "A",
    ),
    Hypothesis(
        "adagrad-early",
        "AdaGrad falls fast early.",
        "Each method at its own best rate: AdaGrad needs fewer steps to 95 % of the way than the median of the others "
        "needs on the same seed.",
        "steps to the target, as a multiple of the others' median (below 1 is quicker)",
        _all(
            _over("dense", DENSE, lambda s, t: measures.speed(s, t, "adagrad", _others("adagrad"))),
            _over(
                "long",
                ("digits-linear", "digits"),
                lambda s, t: measures.speed(s, t, "adagrad", ("sgd", "rmsprop", "adam")),
            ),
        ),
        Bound("below", 1.0),
        "Its sum of squares is small at first, so that its first steps are its longest; that they fall later lets it "
        "afford them, as a schedule would.",
        "A",
    ),
    Hypothesis(
        "adagrad-starves",
        "AdaGrad's rate shrinks towards zero in long training.",
        "Over training nearly seven times as long as usual, its median effective step falls to a fifth or less.",
        "fall of the median effective step, as a factor",
        _over("long", ("digits-linear", "digits"), lambda s, t: measures.shrinking(s, t, "adagrad")),
        Bound("above", 5.0),
        "The sum grows as fast as gradients are large. Once the loss is low they are small, and the sum hardly grows "
        "any more: the step may settle instead of vanishing.",
        "A",
    ),
    Hypothesis(
        "adagrad-stalls",
        "AdaGrad stalls late in long training.",
        "At the end of long training it is behind the best, by the verdict.",
        "behind the best, in practical margins",
        _over("long", ("digits-linear", "digits"), lambda s, t: measures.behind_best(s, t, "adagrad")),
        Bound("above", 1.0),
        "It depends on the claim before: whether its step shrinks so far that it starves. A falling rate also does "
        "good late in training, where a fixed one is kept off the minimum by noise.",
        "A",
    ),
    Hypothesis(
        "rate-too-large",
        "A fixed rate that is too large oscillates or diverges.",
        "At ten times its best rate SGD loses more than a twentieth of the way from an untrained model to its best.",
        "share of the way that is lost",
        _over("dense", DENSE, lambda s, t: measures.lost_at(s, t, "sgd", 10.0)),
        Bound("above", 0.05),
        "Beyond 2/sharpness a step overshoots the minimum by more than it was away from it. Networks flee to flatter "
        "ground for a while; ten times the best rate is more than they can flee from.",
        "A",
    ),
    Hypothesis(
        "rate-too-small",
        "A fixed rate that is too small gets stuck.",
        "At a tenth of its best rate SGD loses more than a twentieth of the way from an untrained model to its best.",
        "share of the way that is lost",
        _over("dense", DENSE, lambda s, t: measures.lost_at(s, t, "sgd", 0.1)),
        Bound("above", 0.05),
        "It is not stuck, it is late: how much is lost depends on how generous the horizon is.",
        "A",
    ),
    Hypothesis(
        "momentum-damps",
        "Momentum damps oscillation.",
        "Each at its own best rate, fewer of momentum's updates turn around from one step to the next than of SGD's.",
        "share of updates that turn around: SGD's less momentum's",
        _all(
            _over("bouncing", ("quadratic",), lambda s, t: measures.turning(s, t, "momentum", "sgd")),
            _over("dense", DENSE, lambda s, t: measures.turning(s, t, "momentum", "sgd")),
        ),
        Bound("above", 0.0),
        "A velocity is an average of some ten gradients: what points to and fro cancels within it, be it from the "
        "steep walls of a valley or from the noise of batches. Of updates that only chance turns, half turn around.",
        "B",
    ),
    Hypothesis(
        "sgd-equal-samples",
        "SGD with one example a step, since it updates more often, converges faster.",
        "After equally many examples, each at its own best rate, one example a step is ahead of 32, and of all.",
        "ahead of the larger batch, in practical margins",
        lambda studies: [
            measures.lead(studies["batches"], "digits", "sgd@1", other) for other in ("sgd@32", "sgd@full")
        ],
        Bound("above", 1.0),
        "For the same examples it takes 32 steps where the batch takes one. Against a full batch, with a handful of "
        "steps, that is much; against 32 it is less, for one large step can do the work of many small ones.",
        "B",
    ),
    Hypothesis(
        "sgd-equal-seconds",
        "The same, by the clock.",
        "After equal training time, each at its own best rate, one example a step is ahead of 32, and of all.",
        "ahead of the larger batch, in practical margins",
        lambda studies: [
            measures.lead(studies["batches"], "digits (equal seconds)", "sgd@1", other)
            for other in ("sgd@32", "sgd@full")
        ],
        Bound("above", 1.0),
        "A step costs nearly the same for 1 example and for 32: the work is in calling the kernels. The clock was read "
        "on a shared machine, so that the horizons of this comparison are rough.",
        "B",
    ),
    Hypothesis(
        "epsilon-place",
        "Whether ε stands inside the root, as printed, or outside, as in libraries, is of no account.",
        "For AdaGrad and RMSProp, both tuned, the forms differ by no more than one point (four practical margins).",
        "standard before printed, in practical margins",
        lambda studies: [
            measures.lead(studies["printed"], task, rule, f"{rule}-printed")
            for task in ("digits", "housing")
            if measures.has(studies["printed"], task)
            for rule in ("adagrad", "rmsprop")
        ],
        NoMoreThan(A_POINT),
        "Inside the root ε = 10⁻⁸ begins to act at gradients of 10⁻⁴, outside at 10⁻⁸: it holds back parameters whose "
        "gradients are tiny, of which there may be few or many.",
        "B",
    ),
    Hypothesis(
        "adam-printed-tuned",
        "Adam as printed is as good as Kingma and Ba's.",
        "Both tuned, they differ by no more than one point (four practical margins).",
        "standard before printed, in practical margins",
        _over("printed", ("digits", "housing"), lambda s, t: measures.lead(s, t, "adam", "adam-printed")),
        NoMoreThan(A_POINT),
        "The printed form's steps are ten times as long at first and fall to Adam's within thousands: a schedule, in "
        "effect, which a rate some times smaller makes up for.",
        "B",
    ),
    Hypothesis(
        "adam-printed-untuned",
        "And at one and the same rate.",
        "Both at 0.001, they differ by no more than one point (four practical margins).",
        "standard before printed, in practical margins",
        _over("untuned", ("digits", "housing"), lambda s, t: measures.lead(s, t, "adam", "adam-printed")),
        NoMoreThan(A_POINT),
        "At one rate, longer first steps are a larger rate; where 0.001 is too small, that is a lead.",
        "B",
    ),
    Hypothesis(
        "two-momenta",
        "Averaged momentum is heavy-ball momentum at another rate.",
        "At η and η/(1 − β) the same seeds give the same test values, to within half a practical margin.",
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
        "One velocity is 1 − β times the other at every step, so the two are the same but for rounding.",
        "B",
    ),
)
"""In the order of the chapter. The tutorial's second fit is a further claim: see `second_fit`."""

"""Metrics of classification, each over a whole part of the data, for outputs and targets as a `Reading` takes them.

scikit-learn computes the same, but one model at a time: a fleet measures all its replicas in one call, under `vmap` and
without leaving torch. So they are written here as tensor algebra, and tests compare each with scikit-learn's.
"""

import torch
from torch import Tensor

from steepest.tasks.loss_kinds import Outputs
from steepest.tasks.readings import PLAIN, Answers, Classes, Reading, answers, classes, shape_form


def read_outputs(outputs: Tensor, targets: Tensor, reading: Reading, mask: Tensor | None) -> Classes | Answers:
    """Decisions between classes or answers to questions, as the shapes say."""
    if shape_form(outputs, targets, reading) == "answers":
        return answers(outputs, targets, reading, mask)
    return classes(outputs, targets, reading, mask)


def accuracy(outputs: Tensor, targets: Tensor, reading: Reading = PLAIN, mask: Tensor | None = None) -> Tensor:
    """Share of correct decisions, 0 … 1.

    Integer targets are classes, and outputs [n, C, …] or [n, …, C] have a score for each; targets below 0 are padding
    and do not count. Targets 0 or 1 of the outputs' shape are compared with logits: above 0 means 1.
    """
    match read_outputs(outputs, targets, reading, mask):
        case Classes(scores, labels, counts):
            return ((scores.argmax(1) == labels) & counts).sum() / counts.sum()
        case Answers(scores, truth, counts):
            return (((scores > 0) == truth) & counts).sum() / counts.sum()


def most_frequent(targets: Tensor, reading: Reading = PLAIN) -> float:
    """The accuracy of always deciding for the most frequent class; of questions, each for its more frequent answer."""
    if reading.one_hot:
        targets = targets.argmax(1 if reading.class_axis is None else reading.class_axis)
    if reading.one_hot or not targets.is_floating_point():
        known = targets[(targets >= 0) & (targets != (-1 if reading.ignored is None else reading.ignored))]
        return float(known.unique(return_counts=True)[1].max() / known.numel()) if known.numel() else 0.0
    yes = (targets > (0.0 if reading.signs else 0.5)).double().mean(0)
    return float(torch.maximum(yes, 1 - yes).mean())


def top_k(outputs: Tensor, targets: Tensor, k: int, reading: Reading = PLAIN, mask: Tensor | None = None) -> Tensor:
    """Share of examples whose class has one of the k highest scores; of equal scores, the first class ranks higher."""
    hits, counts = top_k_hits(outputs, targets, k, reading, mask)
    return hits.sum() / counts.sum()


def top_k_hits(
    outputs: Tensor, targets: Tensor, k: int, reading: Reading, mask: Tensor | None
) -> tuple[Tensor, Tensor]:
    """Of each decision [M]: whether its class has one of the k highest scores, and whether it counts."""
    read = classes(outputs, targets, reading, mask)
    own = read.scores.gather(1, read.labels[:, None])  # [M, 1]
    before = torch.arange(read.scores.shape[1], device=own.device) < read.labels[:, None]
    ahead = ((read.scores > own) | ((read.scores == own) & before)).sum(1)
    return (ahead < k) & read.counts, read.counts


def perplexity(outputs: Tensor, targets: Tensor, reading: Reading = PLAIN, mask: Tensor | None = None) -> Tensor:
    """exp of the mean cross-entropy of all labels that count, from logits, probabilities or log-probabilities."""
    losses, counts = negative_log_likelihood(outputs, targets, reading, mask)
    return (losses.sum() / counts.sum()).exp()


def negative_log_likelihood(
    outputs: Tensor, targets: Tensor, reading: Reading, mask: Tensor | None
) -> tuple[Tensor, Tensor]:
    """Of each decision [M]: its cross-entropy, 0 if it does not count, and whether it counts."""
    read = classes(outputs, targets, reading, mask)
    is_probability = reading.scale in (Outputs.DISTRIBUTION, Outputs.PROBABILITIES)
    scores = read.scores.log() if is_probability else read.scores.log_softmax(1)
    return -scores.gather(1, read.labels[:, None])[:, 0].where(read.counts, 0.0), read.counts


def macro_f1(outputs: Tensor, targets: Tensor, reading: Reading = PLAIN, mask: Tensor | None = None) -> Tensor:
    """F1 = 2·TP / (2·TP + FP + FN) of each class, averaged over the classes that occur in targets or outputs.

    Of yes-or-no questions, yes and no are the two classes; of several questions, F1 of yes is averaged over them.
    """
    truth, guess = memberships(read_outputs(outputs, targets, reading, mask))
    total = truth.sum(0) + guess.sum(0)  # [C]
    return _mean_where(2 * (truth * guess).sum(0) / total.clamp(min=1), total > 0)


def balanced_accuracy(outputs: Tensor, targets: Tensor, reading: Reading = PLAIN, mask: Tensor | None = None) -> Tensor:
    """Recall of each class, averaged over the classes that occur in the targets."""
    read = read_outputs(outputs, targets, reading, mask)
    if isinstance(read, Answers) and read.truth.shape[1] > 1:
        right = ((read.scores > 0) == read.truth) & read.counts
        sides = torch.stack([read.counts & read.truth, read.counts & ~read.truth])  # [2, M, K]
        total = sides.sum(1)
        recalls = (right & sides).sum(1) / total.clamp(min=1)  # [2, K]
        occur = (total > 0).sum(0)  # [K], of yes and no
        return _mean_where((recalls * (total > 0)).sum(0) / occur.clamp(min=1), occur > 0)
    truth, guess = memberships(read)
    total = truth.sum(0)
    return _mean_where((truth * guess).sum(0) / total.clamp(min=1), total > 0)


def auroc(outputs: Tensor, targets: Tensor, reading: Reading = PLAIN, mask: Tensor | None = None) -> Tensor:
    """Area under the ROC curve: the share of pairs (yes, no) in which yes has the higher score; ties count half.

    Of several questions, the mean over them. Of C classes, the mean of each class that occurs against the others, by
    probability; of two, that of the second.
    """
    scores, truth, counts = auroc_scores(outputs, targets, reading, mask)
    return _area(scores.mT, truth.mT, counts.mT).to(outputs.dtype)


def auroc_scores(
    outputs: Tensor, targets: Tensor, reading: Reading, mask: Tensor | None
) -> tuple[Tensor, Tensor, Tensor]:
    """Scores, truth and what counts [M, K], for K questions of which the area is the mean."""
    match read_outputs(outputs, targets, reading, mask):
        case Answers(scores, truth, counts):
            return scores, truth, counts
        case Classes(logits, labels, counts):
            is_logits = reading.scale in (Outputs.CLASS_LOGITS, Outputs.SCORES, Outputs.ANY)
            scores = logits.softmax(1) if is_logits else logits
            truth = labels[:, None] == torch.arange(scores.shape[1], device=labels.device)
            counts = counts[:, None].expand(truth.shape)
            if scores.shape[1] == 2:
                scores = logits[:, 1:] - logits[:, :1] if is_logits else logits[:, 1:]
                truth, counts = truth[:, 1:], counts[:, 1:]
            return scores, truth, counts


def _area(scores: Tensor, truth: Tensor, counts: Tensor) -> Tensor:
    """The mean area of the rows of scores [K, M] that have a yes and a no, from the ranks of the noes in all scores."""
    yes, no = (truth & counts).double(), (~truth & counts).double()
    ordered, order = scores.contiguous().sort(dim=1)
    below = torch.cat([torch.zeros_like(no[:, :1]), no.gather(1, order).cumsum(1)], dim=1)  # noes among the first i
    first = torch.searchsorted(ordered, scores.contiguous())
    last = torch.searchsorted(ordered, scores.contiguous(), right=True)
    beaten = (below.gather(1, first) + below.gather(1, last)) / 2
    pairs = yes.sum(1) * no.sum(1)
    return _mean_where((yes * beaten).sum(1) / pairs.clamp(min=1), pairs > 0)


def memberships(read: Classes | Answers) -> tuple[Tensor, Tensor]:
    """Truth and guess as 0 or 1 per example and class [M, C], 0 where an example does not count."""
    if isinstance(read, Classes):
        known = torch.arange(read.scores.shape[1], device=read.labels.device)
        truth, guess = read.labels[:, None] == known, read.scores.argmax(1)[:, None] == known
        return (truth & read.counts[:, None]).double(), (guess & read.counts[:, None]).double()
    truth, guess, counts = read.truth, read.scores > 0, read.counts
    if truth.shape[1] == 1:
        truth, guess = torch.cat([~truth, truth], 1), torch.cat([~guess, guess], 1)
    return (truth & counts).double(), (guess & counts).double()


def _mean_where(values: Tensor, kept: Tensor) -> Tensor:
    return (values * kept).sum() / kept.sum()


CLASSIFICATION = (accuracy, top_k, perplexity, macro_f1, balanced_accuracy, auroc)
"""Metrics of classes or of yes-or-no questions."""
NEEDS_CLASSES = (top_k, perplexity)
"""Those of classes alone."""

"""The articles' claims in Chinese, for whoever asks the command line for it; the chapter that it writes is English."""

from __future__ import annotations

from steepest.articles.hypotheses import Hypothesis
from steepest.language import Language, Text

WORDS = {
    "supported": Text("supported", "成立"),
    "not supported": Text("not supported", "不成立"),
    "mixed": Text("mixed", "部分成立"),
    "not measured": Text("not measured", "未测"),
}

CLAIMS = {  # key: (what the articles say, what was stated beforehand)
    "adam-accurate": (
        "Adam 在多数情况下达到高准确率。",
        "在每个任务上，无论稠密还是稀疏，结论都以 Adam 为最好，或无法把它与最好者区分开。",
    ),
    "adam-fast": (
        "Adam 收敛快。",
        "各方法取自己的最佳学习率：走完 95% 的路程，Adam 所需步数少于其余四种在同一种子上的中位数。",
    ),
    "adam-untuned": (
        "Adam 几乎不需要调参。",
        "用库的默认学习率时，Adam 比调好时差不超过一个百分点（四个实际意义界限）。",
    ),
    "rmsprop-sparse": (
        "RMSProp 适合稀疏数据。",
        "在两个稀疏任务上，调参预算相同，RMSProp 都领先 SGD 一个百分点（四个实际意义界限）以上。",
    ),
    "rmsprop-above-all": (
        "RMSProp 在稀疏数据上优势最大。",
        "在两个稀疏任务上，它都领先 Adam 和 AdaGrad。",
    ),
    "adagrad-early": (
        "AdaGrad 早期下降快。",
        "各方法取自己的最佳学习率：走完 95% 的路程，AdaGrad 所需步数少于其余方法在同一种子上的中位数。",
    ),
    "adagrad-starves": (
        "长时间训练中，AdaGrad 的学习率会缩到接近零。",
        "训练延长到通常的近七倍，其有效步长的中位数降到五分之一以下。",
    ),
    "adagrad-stalls": (
        "长时间训练的后期，AdaGrad 会停滞。",
        "长时间训练结束时，结论判它落后最好者。",
    ),
    "rate-too-large": (
        "固定学习率过大会振荡或发散。",
        "学习率取最佳值的十倍时，SGD 损失掉从未训练到最好这段路程的二十分之一以上。",
    ),
    "rate-too-small": (
        "固定学习率过小会卡住。",
        "学习率取最佳值的十分之一时，SGD 损失掉从未训练到最好这段路程的二十分之一以上。",
    ),
    "momentum-damps": (
        "动量抑制振荡。",
        "各取自己的最佳学习率，动量的更新中前后两步方向反转的比 SGD 的少。",
    ),
    "sgd-equal-samples": (
        "每步一个样本的 SGD 更新更频繁，因此收敛更快。",
        "看过同样多的样本之后，各取自己的最佳学习率，每步一个样本领先每步 32 个，也领先全批量。",
    ),
    "sgd-equal-seconds": (
        "同上，按时间算。",
        "训练同样长的时间之后，各取自己的最佳学习率，每步一个样本领先每步 32 个，也领先全批量。",
    ),
    "epsilon-place": (
        "ε 在根号内（如文中所印）还是在根号外（如各库）无关紧要。",
        "AdaGrad 和 RMSProp 都调好之后，两种形式相差不超过一个百分点（四个实际意义界限）。",
    ),
    "adam-printed-tuned": (
        "文中所印的 Adam 与 Kingma 和 Ba 的一样好。",
        "两者都调好之后，相差不超过一个百分点（四个实际意义界限）。",
    ),
    "adam-printed-untuned": (
        "用同一个学习率时也是如此。",
        "两者都取 0.001，相差不超过一个百分点（四个实际意义界限）。",
    ),
    "two-momenta": (
        "平均式动量就是换了学习率的重球动量。",
        "学习率分别取 η 和 η/(1 − β)，相同的种子得到相同的测试值，相差在半个实际意义界限之内。",
    ),
}


def claim_of(hypothesis: Hypothesis, language: Language) -> str:
    return CLAIMS[hypothesis.key][0] if language == "zh" else hypothesis.claim


def stated_of(hypothesis: Hypothesis, language: Language) -> str:
    return CLAIMS[hypothesis.key][1] if language == "zh" else hypothesis.stated

"""What the catalogue says about optimizers, in Chinese: titles and summaries; `chinese_details` has what frameworks do
otherwise and what settings mean. Keyed by the English: a sentence that changes loses its Chinese, and a test says so.
"""

from __future__ import annotations

TITLES = {
    "Gradient descent (full batch)": "梯度下降（全批量）",
    "SGD, one example a step": "SGD，每步一个样本",
    "Mini-batch SGD": "小批量 SGD",
    "Momentum (heavy-ball)": "动量（重球）",
    "Momentum (averaged, as printed)": "动量（平均式，文中形式）",
    "Nesterov momentum": "Nesterov 动量",
    "ASGD (averaged SGD)": "ASGD（平均 SGD）",
    "AdaGrad (as printed)": "AdaGrad（文中形式）",
    "RMSProp (as printed)": "RMSProp（文中形式）",
    "RMSProp with momentum": "带动量的 RMSProp",
    "RMSProp, centred": "中心化 RMSProp",
    "Adam (as printed)": "Adam（文中形式）",
    "MARS (approximate)": "MARS（近似式）",
    "Muon (as in PyTorch)": "Muon（PyTorch 形式）",
    "Hypergradient SGD": "超梯度 SGD",
    "Hypergradient Adam": "超梯度 Adam",
}

SUMMARIES = {
    "Steps down the slope of the loss over the whole training part.": "沿整个训练集上损失的下坡方向走一步。",
    "Steps down the slope of the loss of a single example.": "沿单个样本损失的下坡方向走一步。",
    "Steps down the slope of the loss over a few examples, the usual compromise of cost and noise.": (
        "沿几个样本上损失的下坡方向走一步：计算量与噪声之间的常用折中。"
    ),
    "Rolls on: adds every gradient to a velocity that decays, and steps along the velocity.": (
        "带着惯性前进：把每个梯度加到逐渐衰减的速度上，再沿速度走一步。"
    ),
    "Steps along a decaying average of the gradients, from zero: heavy-ball at 1−β times the rate.": (
        "沿梯度的衰减平均（从零开始）走一步：相当于学习率乘以 1−β 的重球动量。"
    ),
    "Momentum that looks ahead: steps along the velocity as it will be after the next decay.": (
        "向前看的动量：沿速度在下一次衰减之后的样子走一步。"
    ),
    "SGD with a slowly falling rate, which keeps the average of its weights beside them.": (
        "学习率缓慢下降的 SGD，并在权重之外另存它们的平均。"
    ),
    "Divides each gradient by the root of the sum of its squares so far: what came often moves less.": (
        "每个梯度除以它迄今平方和的根：常出现的走得少。"
    ),
    "AdaGrad with ε inside the root, as the article prints it; it gives no figure: ε is 10⁻⁸ here.": (
        "ε 在根号内的 AdaGrad，如文中所印；文中没有给出数值，这里 ε 取 10⁻⁸。"
    ),
    "RMSProp whose rate is the size of its own recent steps: both sides of the update have the same unit.": (
        "以自己近来步长的大小为学习率的 RMSProp：更新式两边的单位一致。"
    ),
    "Divides each gradient by the root of a decaying average of its squares: AdaGrad that forgets.": (
        "每个梯度除以其平方的衰减平均的根：会遗忘的 AdaGrad。"
    ),
    "RMSProp with ε inside the root, as the article prints it; it gives no figures: β is 0.9, ε 10⁻⁸ here.": (
        "ε 在根号内的 RMSProp，如文中所印；文中没有给出数值，这里 β 取 0.9，ε 取 10⁻⁸。"
    ),
    "RMSProp whose scaled gradients feed a velocity.": "把缩放后的梯度送入速度的 RMSProp。",
    "RMSProp that divides by the standard deviation of the gradient instead of by its size.": (
        "除以梯度的标准差而不是梯度大小的 RMSProp。"
    ),
    "Momentum and RMSProp together, both averages freed of the bias of their zero start.": (
        "动量与 RMSProp 的结合，两个平均都去掉了从零开始造成的偏差。"
    ),
    "Adam as the article prints it: the root over 1−β₁ᵗ, v uncorrected, hence long first steps.": (
        "文中所印的 Adam：对 1−β₁ᵗ 开根，v 不校正，因此最初几步很长。"
    ),
    "Adam with a weight decay that the adaptive scaling does not touch.": "权重衰减不受自适应缩放影响的 Adam。",
    "Adam that remembers the largest average of squares, so that its steps cannot grow again.": (
        "记住平方平均的最大值的 Adam，步长因此不会再变大。"
    ),
    "Adam that divides by the largest recent gradient instead of by a root of squares.": (
        "除以近来最大的梯度而不是平方之根的 Adam。"
    ),
    "Adam that looks ahead as Nesterov's momentum does, with a momentum that warms up.": (
        "像 Nesterov 动量那样向前看的 Adam，动量逐渐升温。"
    ),
    "NAdam with a weight decay that the adaptive scaling does not touch.": "权重衰减不受自适应缩放影响的 NAdam。",
    "Adam that leaves its second average out while that rests on too few samples: a built-in warm-up.": (
        "第二个平均所依据的样本太少时先不用它的 Adam：自带预热。"
    ),
    "RAdam with a weight decay that the adaptive scaling does not touch.": "权重衰减不受自适应缩放影响的 RAdam。",
    "Gives each weight a step size that grows while its gradient keeps its sign and shrinks when it turns.": (
        "每个权重有自己的步长：梯度符号不变就变大，变号就变小。"
    ),
    "Moves every weight by the rate, against the sign of its gradient.": "每个权重逆着梯度的符号移动一个学习率。",
    "Moves every weight by the rate, against the sign of an average of its gradients.": (
        "每个权重逆着梯度平均的符号移动一个学习率。"
    ),
    "Moves by signs, with a direction that is fresher than the average that it keeps.": (
        "按符号移动，方向比它保存的平均更新鲜。"
    ),
    "Signum with a long memory and a decay: Lion with one β, which is cheaper to keep across batches.": (
        "记忆长、带权重衰减的 Signum：只有一个 β 的 Lion，跨批保存更省。"
    ),
    "Momentum whose steps are scaled, layer by layer, to a share of the length of the weights.": (
        "逐层把步长缩放到权重长度的一定比例的动量。"
    ),
    "AdamW whose steps are scaled, layer by layer, to the length of the weights.": "逐层把步长缩放到权重长度的 AdamW。",
    "Keeps only the row and column means of the squares of a matrix, and takes steps relative to its size.": (
        "矩阵的平方只保存行均值和列均值，步长则相对于矩阵的大小。"
    ),
    "AdamW on gradients that are corrected by how they changed since the last batch.": (
        "AdamW，所用梯度按其自上一批以来的变化作了修正。"
    ),
    "Momentum whose every step is made orthogonal: all directions of a matrix move alike.": (
        "每一步都正交化的动量：矩阵的各个方向移动得一样多。"
    ),
    "Muon with PyTorch's scale and rounding; what is no matrix, which PyTorch refuses, by AdamW.": (
        "采用 PyTorch 的缩放和舍入的 Muon；PyTorch 不接受的非矩阵参数交给 AdamW。"
    ),
    "AdaGrad for matrices: divides by fourth roots of the sums of ggᵀ on the left and gᵀg on the right.": (
        "矩阵的 AdaGrad：左边除以 ggᵀ 之和的四次方根，右边除以 gᵀg 之和的四次方根。"
    ),
    "Adam in the slowly turning basis in which Shampoo's two matrices are diagonal.": (
        "在缓慢转动的基下做的 Adam；在这个基下，Shampoo 的两个矩阵是对角的。"
    ),
    "SGD that averages its weights in the place of a schedule, and is evaluated at the average.": (
        "用权重的平均代替调度的 SGD，评估也在平均处进行。"
    ),
    "AdamW with an average of its weights in the place of the momentum and of a schedule.": (
        "用权重的平均代替动量和调度的 AdamW。"
    ),
    "Adam that estimates its own rate from how far the weights have to go; η only multiplies it.": (
        "由权重还要走多远来估计自己学习率的 Adam；η 只是它的倍数。"
    ),
    "SGD that estimates how far the solution is and takes its rate from that; η only multiplies it.": (
        "估计离解有多远并据此确定学习率的 SGD；η 只是它的倍数。"
    ),
    "Adam that estimates how far the solution is and takes its rate from that; η only multiplies it.": (
        "估计离解有多远并据此确定学习率的 Adam；η 只是它的倍数。"
    ),
    "SGD whose rate is the distance from the start over the root of all squared gradients; best averaged.": (
        "SGD，学习率是离起点的距离除以所有梯度平方和的根；最好配合权重平均。"
    ),
    "DoG that weighs gradients by the distance they were taken at, so that early ones are forgotten.": (
        "按取梯度时离起点的距离加权的 DoG，因此早期的梯度会被淡忘。"
    ),
    "SGD whose rate grows while two gradients in a row point the same way, and shrinks when they do not.": (
        "SGD，相邻两个梯度同向时学习率变大，否则变小。"
    ),
    "Adam whose rate grows while the gradient points along the last step, and shrinks when it does not.": (
        "Adam，梯度与上一步同向时学习率变大，否则变小。"
    ),
    "Divides an average of gradients by one of curvatures, and clips what is left to the size of a sign.": (
        "用曲率的平均去除梯度的平均，再把结果截断到符号的大小。"
    ),
    "AdamW on gradients that are corrected by how the last step changed them, on the same batch.": (
        "AdamW，所用梯度按上一步在同一批上造成的变化作了修正。"
    ),
    "Adam that divides by how far gradients stray from their average, instead of by their size.": (
        "Adam，除以梯度偏离其平均的程度，而不是梯度的大小。"
    ),
    "Adam whose average of squares moves by a share of the newest square, so that it falls slowly.": (
        "Adam，平方的平均每次只移动最新平方的一定比例，因此下降得慢。"
    ),
    "Adam with a second, very slow average of gradients beside the fast one.": (
        "在快的梯度平均之外，另有一个很慢的梯度平均的 Adam。"
    ),
    "Adam with Nesterov's look ahead, which it estimates from how the gradient changes.": (
        "带 Nesterov 式前瞻的 Adam，前瞻由梯度的变化估计。"
    ),
}

WRAPPERS = {
    "L2 penalty": "L2 惩罚",
    "L1 penalty": "L1 惩罚",
    "decoupled decay": "解耦的权重衰减",
    "clipping by value": "按值截断",
    "clipping by norm": "按范数截断",
    "adaptive clipping": "自适应截断",
    "centralised gradient": "梯度中心化",
    "sharpness-aware": "锐度感知",
    "cautious": "谨慎",
    "lookahead": "前瞻",
    "moving average": "滑动平均",
    "average": "平均",
    "with an L2 penalty in the gradient": "梯度中加 L2 惩罚",
    "with an L1 penalty in the gradient": "梯度中加 L1 惩罚",
    "with a weight decay apart from the gradient": "权重衰减与梯度分开",
    "with every element of the gradient clipped": "梯度的每个元素都截断",
    "with the norm of the whole gradient clipped": "截断整个梯度的范数",
    "with the gradient of every unit clipped in proportion to its weights": "每个单元的梯度按其权重的比例截断",
    "with the mean taken out of every unit's gradient": "每个单元的梯度减去其均值",
    "with the gradient from a little way up the slope, so that it seeks flat valleys": (
        "梯度取自稍往上坡处，因此会寻找平坦的谷地"
    ),
    "taken only where it agrees in sign with the gradient": "只在与梯度同号处才走",
    "with slow weights that follow it half-way every few steps, and to which it goes back": (
        "另有一份慢权重，每隔几步跟上一半，然后回到慢权重处"
    ),
    "evaluated at a moving average of its weights": "在权重的滑动平均处评估",
    "evaluated at an average of its weights that forgets more slowly with time": "在权重的平均处评估，遗忘随时间变慢",
}

PHRASES = {
    ", g over all examples": "，g 取自全部样本",
    ", g from one example": "，g 取自一个样本",
    ", g over a mini-batch": "，g 取自一个小批量",
    ", evaluated at x": "，在 x 处评估",
    ", s starts at η": "，s 从 η 开始",
    ", v starts at v₀": "，v 从 v₀ 开始",
    " at first": "（首步）",
    ", u ← g of the step before": "，u ← 上一步的 g",
    "no matrix: Adam's at ρη": "非矩阵：Adam 的更新，学习率 ρη",
    "no matrix: ": "非矩阵：",
    "every k steps: ": "每 k 步：",
    "every k steps ": "每 k 步 ",
    ", ĝ with targets drawn from the model": "，ĝ 的目标由模型抽取",
    "mean of g² along rows": "g² 的行均值",
    "mean of g² along columns": "g² 的列均值",
    ", or v ← βv + (1−β)g² for a vector": "，向量则 v ← βv + (1−β)g²",
    " where ρ > ρ₀, else ": "（若 ρ > ρ₀），否则 ",
    ", within [s₁, s₂]": "，限于 [s₁, s₂]",
    "η₊s where pg > 0, η₋s where pg < 0": "η₊s（若 pg > 0），η₋s（若 pg < 0）",
    "0 where pg < 0, else g": "0（若 pg < 0），否则 g",
    ", from d₀": "，从 d₀ 开始",
    ", from r₀": "，从 r₀ 开始",
    ", from εI": "，从 εI 开始",
    ", from ε": "，从 ε 开始",
}
"""Words that stand in formulas, longer ones before those that they hold."""


def title(english: str) -> str:
    """The title of an entry, which may name wrappers: "Adam + cautious"."""
    first, *others = english.split(" + ")
    return " + ".join([TITLES.get(first, first), *(WRAPPERS[each] for each in others)])


def summary(english: str) -> str:
    """The summary of an entry, which may go on about wrappers. KeyError for one without a Chinese."""
    if english in SUMMARIES:
        return SUMMARIES[english]
    inner, _, wrapper = english.removesuffix(".").rpartition("; ")
    return f"{summary(f'{inner}.').removesuffix('。')}；{WRAPPERS[wrapper]}。"


def formula(english: str) -> str:
    """A formula with its few words in Chinese."""
    for words, chinese in PHRASES.items():
        english = english.replace(words, chinese)
    return english


def allowed(english: str) -> str:
    """What a setting may be: "a number at least 0 and below 1", "one of step, buffer"."""
    if english.startswith("one of "):
        return "、".join(english.removeprefix("one of ").split(", ")) + " 之一"
    bounds = english.removeprefix("a number ").removeprefix("a finite number")
    for words, chinese in {"at least ": "不小于 ", "above ": "大于 ", "below ": "小于 ", " and ": " 且"}.items():
        bounds = bounds.replace(words, chinese)
    return f"{bounds} 的数" if bounds else "有限的数"

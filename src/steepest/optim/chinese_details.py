"""The rest of what the catalogue says, in Chinese: how frameworks differ, and what each setting means."""

from __future__ import annotations

BUFFER = "η 在 g 进入缓冲时相乘，而不是在使用缓冲时相乘：η 一变，路径就不同"
LIMIT = "还限制 d 的增长；这里没有限制，与那里的默认一致"

DEPARTURES = {
    "the same": "相同",
    "the same, bit for bit on CPU": "相同，在 CPU 上逐位一致",
    "has none": "没有",
    "weight_decay is decoupled for every optimizer: w ← (1 − ηλ)w before the step": (
        "weight_decay 对每个优化器都是解耦的：先 w ← (1 − ηλ)w，再走一步"
    ),
    "the same with fit(batch_size=len(x)), which is 32 when not given; its η is 0.01": (
        "用 fit(batch_size=len(x)) 时相同，不给时为 32；其 η 为 0.01"
    ),
    "the same with fit(batch_size=1); its η is 0.01": "用 fit(batch_size=1) 时相同；其 η 为 0.01",
    "the same; its η is 0.01": "相同；其 η 为 0.01",
    "the same; its η is 0.001": "相同；其 η 为 0.001",
    "the same; it has no default η": "相同；它没有默认的 η",
    "η multiplies g as it enters the buffer, not the buffer as it is used: another path once η changes; "
    "its η is 0.01": f"{BUFFER}；其 η 为 0.01",
    "prints the averaged form: see momentum-averaged": "印的是平均式：见 momentum-averaged",
    "SGD(momentum=β, dampening=β) starts with v = g, undamped: see momentum": (
        "SGD(momentum=β, dampening=β) 从未经阻尼的 v = g 开始：见 momentum"
    ),
    "has the heavy-ball form only: see momentum": "只有重球形式：见 momentum",
    "the same as chain(ema(β, debias=False), scale_by_learning_rate(η))": (
        "与 chain(ema(β, debias=False), scale_by_learning_rate(η)) 相同"
    ),
    "the same; its ζ is rounded to the default dtype at every step": "相同；其 ζ 每步都舍入到默认精度",
    "has none; use_ema=True of any optimizer keeps an exponential average": (
        "没有；任何优化器的 use_ema=True 都会保存一个指数平均"
    ),
    "G starts at 0.1 and ε = 1e-7 stands inside the root; its η is 0.001": (
        "G 从 0.1 开始，ε = 1e-7 在根号内；其 η 为 0.001"
    ),
    "G starts at 0.1 and ε = 1e-7 stands inside the root": "G 从 0.1 开始，ε = 1e-7 在根号内",
    "ε stands inside the root: see adagrad-printed": "ε 在根号内：见 adagrad-printed",
    "ε = 1e-10 stands outside the root: see adagrad": "ε = 1e-10 在根号外：见 adagrad",
    "G starts at 0.1 and ε is 1e-7; its η is 0.001": "G 从 0.1 开始，ε 为 1e-7；其 η 为 0.001",
    "G starts at 0.1 and ε is 1e-7": "G 从 0.1 开始，ε 为 1e-7",
    "ρ is 0.95 and ε 1e-7; its η is 0.001": "ρ 为 0.95，ε 为 1e-7；其 η 为 0.001",
    "β is 0.9 and ε = 1e-7 stands inside the root; its η is 0.001": "β 为 0.9，ε = 1e-7 在根号内；其 η 为 0.001",
    "β is 0.9 and ε stands inside the root": "β 为 0.9，ε 在根号内",
    "ε stands inside the root: see rmsprop-printed": "ε 在根号内：见 rmsprop-printed",
    "β is 0.99 and ε stands outside the root: see rmsprop": "β 为 0.99，ε 在根号外：见 rmsprop",
    "ε is 1e-7; its η is 0.001": "ε 为 1e-7；其 η 为 0.001",
    "β is 0.9, ε = 1e-7 stands inside the root, and η multiplies g as it enters the buffer, not the buffer as it is "
    "used: another path once η changes; its η is 0.001": f"β 为 0.9，ε = 1e-7 在根号内，且{BUFFER}；其 η 为 0.001",
    "β is 0.9, ε stands inside the root, and η multiplies g as it enters the buffer, not the buffer as it is used: "
    "another path once η changes": f"β 为 0.9，ε 在根号内，且{BUFFER}",
    "ε stands outside the root, which is not a number once a² exceeds v by rounding": (
        "ε 在根号外；一旦 a² 因舍入超过 v，根就不是数了"
    ),
    "β is 0.9 and ε 1e-7; its η is 0.001": "β 为 0.9，ε 为 1e-7；其 η 为 0.001",
    "β is 0.9": "β 为 0.9",
    "ε = 1e-7 is added to √v before its correction": "ε = 1e-7 在校正之前加到 √v 上",
    "corrects m by √(1−β₁ᵗ) and v not: see adam-printed": "m 用 √(1−β₁ᵗ) 校正，v 不校正：见 adam-printed",
    "corrects both averages, as Kingma and Ba do: see adam": "像 Kingma 与 Ba 那样校正两个平均：见 adam",
    "corrects both averages; ε = 1e-7 is added to √v before its correction": (
        "校正两个平均；ε = 1e-7 在校正之前加到 √v 上"
    ),
    "corrects both averages: see adam": "校正两个平均：见 adam",
    "λ is 0.004, and ε = 1e-7 is added to √v before its correction": "λ 为 0.004，ε = 1e-7 在校正之前加到 √v 上",
    "λ is 1e-4": "λ 为 1e-4",
    "the same, bit for bit on CPU, as Adam(amsgrad=True)": "与 Adam(amsgrad=True) 相同，在 CPU 上逐位一致",
    "ε = 1e-7 is added to √u before its correction": "ε = 1e-7 在校正之前加到 √u 上",
    "u is the largest of the corrected averages": "u 取校正之后的平均的最大值",
    "ε = 1e-7 is added to u as it is used; its η is 0.001": "ε = 1e-7 在使用 u 时才加上；其 η 为 0.001",
    "the same; its Πμ is rounded to the default dtype at every step": "相同；其 Πμ 每步都舍入到默认精度",
    "ψ is 1 and ε 1e-7; its η is 0.001": "ψ 为 1，ε 为 1e-7；其 η 为 0.001",
    "μ is constant, as for a very large ψ": "μ 不变，相当于 ψ 极大",
    "λ is 0; NAdam(decoupled_weight_decay=True)": "λ 为 0；NAdam(decoupled_weight_decay=True)",
    "ψ is 1 and ε 1e-7; its η is 0.001, and Nadam(weight_decay=0) is without decay": (
        "ψ 为 1，ε 为 1e-7；其 η 为 0.001，Nadam(weight_decay=0) 不带衰减"
    ),
    "μ is constant, as for a very large ψ, and λ 1e-4": "μ 不变，相当于 ψ 极大，λ 为 1e-4",
    "ε is added to the corrected root": "ε 加到校正之后的根上",
    "λ is 0; RAdam(decoupled_weight_decay=True)": "λ 为 0；RAdam(decoupled_weight_decay=True)",
    "ε is added to the corrected root; as a chain with add_decayed_weights": (
        "ε 加到校正之后的根上；与 add_decayed_weights 串成链"
    ),
    "applies every step one step late, and none at first (0.2.8)": "每一步都晚一步生效，第一步不动（0.2.8）",
    "the same as sign_sgd": "与 sign_sgd 相同",
    "the same as signum": "与 signum 相同",
    "λ is 0.001": "λ 为 0.001",
    "none of that name: signum with another β, and no decay": "没有这个名字：signum，β 不同，也没有衰减",
    "the same without decay; with it the ratio has ‖g + λw‖ below": "不带衰减时相同；带衰减时，比值的分母是 ‖g + λw‖",
    "ε is 1e-7 and λ 0": "ε 为 1e-7，λ 为 0",
    "λ is 0": "λ 为 0",
    "the same up to rounding; its ε is that of the dtype": "除舍入外相同；其 ε 是该精度的机器精度",
    "adds 1e-30 to g² in the place of max(v, ε²)": "不取 max(v, ε²)，而是给 g² 加 1e-30",
    "adds 1e-30 to g², factors only axes of 128 or more, and does not bound η by 1/√t": (
        "给 g² 加 1e-30，只分解不小于 128 的轴，也不用 1/√t 限制 η"
    ),
    "takes matrices only, another scale, and rounds to bfloat16: see muon-bfloat16": (
        "只接受矩阵，缩放不同，并舍入到 bfloat16：见 muon-bfloat16"
    ),
    "the same, but for what is no matrix, where ε is added to √v before its correction": (
        "矩阵相同；非矩阵参数的 ε 在校正之前加到 √v 上"
    ),
    "contrib.muon frees m of its zero start; without nesterov it is the same": (
        "contrib.muon 给 m 去掉从零开始的偏差；不用 nesterov 时相同"
    ),
    "refuses what has not exactly two axes; for a matrix the same, bit for bit on CPU": (
        "不恰好两个轴的参数一律拒绝；矩阵则相同，在 CPU 上逐位一致"
    ),
    "keeps a velocity v ← μv + g in the place of the average": "保存的是速度 v ← μv + g，而不是平均",
    "contrib.muon frees m of its zero start and takes the scale of (in, out) matrices": (
        "contrib.muon 给 m 去掉从零开始的偏差，并按（入，出）矩阵取缩放"
    ),
    "has none; the authors' code takes no step at t = 1, and sorts the basis": (
        "没有；作者的代码在 t = 1 时不走步，并对基排序"
    ),
    "the same, as contrib.schedule_free_sgd, at a rate that does not rise": (
        "学习率不上升时，与 contrib.schedule_free_sgd 相同"
    ),
    "the same, as contrib.schedule_free_adamw, at a rate that does not rise": (
        "学习率不上升时，与 contrib.schedule_free_adamw 相同"
    ),
    "has none; the authors' package prodigyopt has a limit to the growth of d as well; there is none here, as in the "
    "default there": f"没有；作者的软件包 prodigyopt {LIMIT}",
    "contrib.prodigy corrects both averages": "contrib.prodigy 校正两个平均",
    "has none; the authors' package dadaptation leaves the decay out of q, and has a limit to the growth of d as well; "
    "there is none here, as in the default there": f"没有；作者的软件包 dadaptation 不把衰减算进 q，{LIMIT}",
    "has none; the authors' package dadaptation has a limit to the growth of d as well; there is none here, as in the "
    "default there": f"没有；作者的软件包 dadaptation {LIMIT}",
    "contrib.dadapt_adamw corrects both, and decouples its decay": "contrib.dadapt_adamw 校正两个平均，衰减是解耦的",
    "has none; the authors' package dog-optimizer does this for every parameter group apart": (
        "没有；作者的软件包 dog-optimizer 对每个参数组分别这样做"
    ),
    "contrib.dowg starts at r = 1e-2 and adds 1e-4 to the root, unless told otherwise": (
        "contrib.dowg 默认从 r = 1e-2 开始，并给根加 1e-4"
    ),
    "looks at the curvature after the step, corrects m, γ is 0.01, and λ 1e-4; by default it is Sophia-H, which takes "
    "the curvature of the loss along random signs": (
        "在走步之后看曲率，校正 m，γ 为 0.01，λ 为 1e-4；默认是 Sophia-H，取损失沿随机符号方向的曲率"
    ),
    "m starts at 1e-6 too": "m 也从 1e-6 开始",
    "the same; schedules of α and β₃ are the caller's": "相同；α 和 β₃ 的调度由调用者负责",
    "weighs Δ and d by 1−β₂ with β₂ as the share kept, against the paper (0.2.8)": (
        "以 β₂ 为保留比例、用 1−β₂ 给 Δ 和 d 加权，与论文不符（0.2.8）"
    ),
}

MEANINGS = {
    "learning rate": "学习率",
    "coupled weight decay (L2): λw is added to g": "耦合的权重衰减（L2）：g 加上 λw",
    "decoupled weight decay: w shrinks by the factor 1 − ηλ": "解耦的权重衰减：w 乘以 1 − ηλ",
    "decoupled weight decay: w shrinks by the factor 1 − ηλ_d": "解耦的权重衰减：w 乘以 1 − ηλ_d",
    "decoupled weight decay, at the rate k": "解耦的权重衰减，学习率为 k",
    "weight decay, which counts in the ratio": "权重衰减，计入比值",
    "weight decay, at w and outside of the scaling": "权重衰减，取在 w 处，不受缩放",
    "proximal weight decay: w is divided by 1 + ηλ": "近端权重衰减：w 除以 1 + ηλ",
    "added outside the root": "加在根号外",
    "added inside the root": "加在根号内",
    "added inside both roots": "加在两个根号内",
    "added to the root": "加到根上",
    "added to √v": "加到 √v 上",
    "added to √v, before its correction": "在校正之前加到 √v 上",
    "added to the root, times d": "乘以 d 后加到根上",
    "added to v at every step, where it stays": "每步加到 v 上，并留在其中",
    "where the sum of squares starts": "平方和的初值",
    "further decay of the rate": "学习率的进一步衰减",
    "share of v and u, the averages of g² and Δ², kept each step": "v 和 u（g² 和 Δ² 的平均）每步保留的比例",
    "share of v, the average of g², kept each step": "v（g² 的平均）每步保留的比例",
    "share of v, the average of c², kept each step": "v（c² 的平均）每步保留的比例",
    "share of v, the average of ĝ², kept each step": "v（ĝ² 的平均）每步保留的比例",
    "share of v, the average of (g−m)², kept each step": "v（(g−m)² 的平均）每步保留的比例",
    "share of v, the average of d²g², kept each step": "v（d²g² 的平均）每步保留的比例",
    "share of m, the average of g, kept each step": "m（g 的平均）每步保留的比例",
    "share of m, the average of c, kept each step": "m（c 的平均）每步保留的比例",
    "share of m, the average of ĝ, kept each step": "m（ĝ 的平均）每步保留的比例",
    "share of m, the average of kg, kept each step": "m（kg 的平均）每步保留的比例",
    "share of m, the average of dg, kept each step": "m（dg 的平均）每步保留的比例",
    "share of m, the fast average of g, kept each step": "m（g 的快速平均）每步保留的比例",
    "share of n, the slow average of g, kept each step": "n（g 的慢速平均）每步保留的比例",
    "share of n, the average of squares, kept each step": "n（平方的平均）每步保留的比例",
    "share of n and s kept each step; 0 means √β₂": "n 和 s 每步保留的比例；0 表示 √β₂",
    "share of d, the average of Δ, kept each step, and weight of Δ": "d（Δ 的平均）每步保留的比例，也是 Δ 的权重",
    "share of h, the average of curvatures, kept at each look at it": "h（曲率的平均）每次查看时保留的比例",
    "share of u, the largest |g|, kept each step": "u（最大的 |g|）每步保留的比例",
    "share of m in the direction": "方向中 m 所占的比例",
    "share of the velocity b kept each step": "速度 b 每步保留的比例",
    "share of the velocity v kept each step": "速度 v 每步保留的比例",
    "share of the velocity m kept each step": "速度 m 每步保留的比例",
    "share of the average v kept each step": "平均 v 每步保留的比例",
    "share of the average x kept each step": "平均 x 每步保留的比例",
    "share of w kept each step": "w 每步保留的比例",
    "share of L and R kept each step": "L 和 R 每步保留的比例",
    "share of the average x in w": "w 中平均 x 所占的比例",
    "share of the gradient left out of v, from the second step on": "从第二步起，梯度不进入 v 的比例",
    "share of the way that φ goes to w": "φ 向 w 走过的比例",
    "divide by the standard deviation of g instead of its size": "除以 g 的标准差，而不是 g 的大小",
    "whether η multiplies b as it is used, or g as it enters b": "η 是在使用 b 时相乘，还是在 g 进入 b 时相乘",
    "whether η multiplies v as it is used, or g as it enters v": "η 是在使用 v 时相乘，还是在 g 进入 v 时相乘",
    "which averages are freed of their zero start": "哪些平均去掉从零开始的偏差",
    "whether both averages are freed of their zero start": "两个平均是否都去掉从零开始的偏差",
    "whether ε is added to the corrected root or to √v": "ε 加到校正之后的根上，还是加到 √v 上",
    "whether ε is added to |g| in u, or to u as it is used": "ε 加到 u 中的 |g| 上，还是在使用 u 时加上",
    "whether s is kept free of the rate, for rates that warm up": "s 是否不含学习率，供会预热的学习率使用",
    "whether u looks one step ahead of m": "u 是否比 m 向前看一步",
    "σ: as large as AdamW's usual step, or by the matrix' shape": "σ：与 AdamW 通常的步长一样大，或按矩阵的形状",
    "rate of what is no matrix, as a share of η": "非矩阵参数的学习率，占 η 的比例",
    "of the fallback": "用于非矩阵参数的规则",
    "keeps the divisor from zero": "使除数不为零",
    "keeps the root from zero; that of float32": "使根不为零；float32 的机器精度",
    "least divisor": "最小的除数",
    "least size that w counts with": "w 至少按这么大计",
    "least norm that weights count with": "权重的范数至少按这么大计",
    "largest root mean square of u": "u 的均方根的上限",
    "largest size of an element of g": "g 的每个元素的大小上限",
    "largest norm of the gradient of the whole model": "整个模型梯度范数的上限",
    "largest norm of a unit's gradient, as a share of its weights' norm": "单元梯度范数的上限，占其权重范数的比例",
    "how fast the momentum μ rises from β₁/2 to β₁": "动量 μ 从 β₁/2 升到 β₁ 的快慢",
    "samples ρ up to which v is left out": "样本数 ρ 不超过它时不用 v",
    "how fast the rate falls, and how strongly w is drawn to zero": "学习率下降得多快，w 被拉向零有多强",
    "power with which the rate falls": "学习率下降的幂次",
    "power with which the average of squares lengthens": "平方的平均逐渐变长的幂次",
    "power of t in the weight of a step": "一步的权重中 t 的幂次",
    "power of η in the weight of a step": "一步的权重中 η 的幂次",
    "step after which the average x begins": "从这一步之后开始平均 x",
    "share of its own length that a tensor may move by at η = 1": "η = 1 时，张量可移动自身长度的比例",
    "how far the change of the gradient corrects it": "梯度的变化对梯度的修正程度",
    "where the diagonals of L and R start, and AdaGrad's sum": "L 和 R 的对角线以及 AdaGrad 之和的初值",
    "steps between two computations of the roots": "两次求根之间的步数",
    "steps between two renewals of the basis": "两次更新基之间的步数",
    "steps between two looks at the curvature": "两次查看曲率之间的步数",
    "steps between two looks": "两次前瞻之间的步数",
    "first distance, relative to 1 + |o|": "初始距离，相对于 1 + |o|",
    "first distance": "初始距离",
    "first guess of the distance to a solution": "到解的距离的初始估计",
    "factor of every later guess": "以后每次估计的倍数",
    "rate at which the rate itself is learned": "学习率自身的学习率",
    "1−β₂ is the share of g² by which v moves towards it": "v 每次向 g² 移动 g² 的 1−β₂ 倍",
    "where v starts": "v 的初值",
    "where m starts": "m 的初值",
    "weight of the slow average": "慢速平均的权重",
    "steps over which α and β₃ reach their values": "α 和 β₃ 达到其值所用的步数",
    "factor of a step size whose gradient has changed its sign": "梯度变号时步长的倍数",
    "factor of a step size whose gradient has kept its sign": "梯度不变号时步长的倍数",
    "smallest step size": "最小步长",
    "largest step size": "最大步长",
    "factor of h: the larger, the more of the steps are clipped no more": "h 的倍数：越大，被截断的步越少",
    "L2 penalty: λ₂w is added to g": "L2 惩罚：g 加上 λ₂w",
    "L1 penalty: λ₁·sign(w) is added to g": "L1 惩罚：g 加上 λ₁·sign(w)",
    "how far up the slope the gradient is taken": "往上坡多远处取梯度",
    "how soon old weights are forgotten; 0 is the plain mean": "旧权重多快被遗忘；0 为普通平均",
}

"""What the catalogue says about the built-in tasks, in Chinese. Keyed by the English, so that a sentence that changes
loses its Chinese, and a test says so. Titles are with the verdict's terms.
"""

from __future__ import annotations

SUMMARIES = {
    "Handwritten digits of 8 × 8 pixels, an MLP 64-64-10, cross-entropy.": (
        "8 × 8 像素的手写数字，MLP 64-64-10，交叉熵。"
    ),
    "The same digits and one dense layer 64-10: a convex problem, with one minimum to find.": (
        "同样的数字，只有一个全连接层 64-10：凸问题，只有一个极小值。"
    ),
    "The digits and their MLP; three times in a trial the pixels change places and the labels shift.": (
        "数字及其 MLP；一次训练中，像素三次换位，标签三次移位。"
    ),
    "All of MNIST, 28 × 28 pixels, an MLP 784-256-128-10, cross-entropy.": (
        "全部 MNIST，28 × 28 像素，MLP 784-256-128-10，交叉熵。"
    ),
    "12000 pictures of Fashion-MNIST, two convolutions of 16 and 32 maps and two dense layers.": (
        "Fashion-MNIST 的 12000 张图，16 和 32 个特征图的两层卷积，两个全连接层。"
    ),
    "The same pictures and the same network, with a batch norm after each convolution.": (
        "同样的图、同样的网络，每层卷积后加批归一化。"
    ),
    "The same pictures, four residual layers of 96, an exit after each, and a chance to stop there.": (
        "同样的图，四个宽 96 的残差层，每层之后有一个出口，可以在那里停下。"
    ),
    "Median house values of 1990 from 8 features, an MLP 8-32-32-1, squared error on standardized values.": (
        "由 8 个特征预测 1990 年的房价中位数，MLP 8-32-32-1，标准化数值上的平方误差。"
    ),
    "People of the 1994 census: 6 numbers, 8 categories with vectors of their own, an MLP of 64 and 32.": (
        "1994 年人口普查中的人：6 个数值，8 个各有向量的类别，宽 64 和 32 的 MLP。"
    ),
    "100,000 ratings, one vector of 16 numbers and a bias for each person and each film, squared error.": (
        "10 万个评分，每个人和每部电影各有一个 16 维向量和一个偏置，平方误差。"
    ),
    "The same with embeddings whose gradients hold only the rows that a batch has met.": (
        "同上，嵌入的梯度只含一批中出现过的行。"
    ),
    "A day of half-hours to the next one: a GRU of 32 corrects the forecast that all is as a week ago.": (
        "由一天的每半小时预测次日：宽 32 的 GRU 修正“一切同一周前”的预测。"
    ),
    "20 Newsgroups split by date, the mean of 20,000 words' vectors of 64 numbers, and a linear layer.": (
        "按日期划分的 20 Newsgroups，20,000 个词的 64 维向量取平均，再加一个线性层。"
    ),
    "The same with word vectors whose gradients hold only the words that a batch has met.": (
        "同上，词向量的梯度只含一批中出现过的词。"
    ),
    "Sentences of English reviews, good or bad: convolutions over 3, 4 and 5 words, dropout of one half.": (
        "英文影评的句子，好评或差评：跨 3、4、5 个词的卷积，随机失活一半。"
    ),
    "The same sentences, an LSTM of 64, and the mean of its states.": "同样的句子，宽 64 的 LSTM，取其各状态的平均。",
    "Chinese reviews of books, hotels and computers, 160 characters, an LSTM of 32 that reads both ways.": (
        "书籍、酒店和电脑的中文评论，160 个字，宽 32 的双向 LSTM。"
    ),
    "A million characters of plays, a transformer of 2 layers of 64 with 4 heads that looks back 64.": (
        "一百万个字符的剧本，2 层、宽 64、4 个头的 Transformer，回看 64 个字符。"
    ),
    "The same transformer on the same million characters, three times as long.": (
        "同样的 Transformer、同样的一百万个字符，训练时间为三倍。"
    ),
    "Chinese lyrics of the 10th to 13th century, 3000 characters, an LSTM of 128 with tied weights.": (
        "十至十三世纪的词，3000 个汉字，宽 128、权重共享的 LSTM。"
    ),
    "100 noisy points on a line, one dense unit, squared error, 100 epochs of Keras' usual batches.": (
        "一条直线上的 100 个带噪声的点，一个全连接单元，平方误差，按 Keras 通常的批大小训练 100 轮。"
    ),
    "½ Σ h (w − c)² in 20 dimensions, curvatures from 1 to 0.001, each example with a centre c of its own.": (
        "20 维的 ½ Σ h (w − c)²，曲率从 1 到 0.001，每个样本有自己的中心 c。"
    ),
    "(1 − a)² + 100 (b − a²)² from near (−1.2, 1): two parameters, no noise, 2000 steps.": (
        "(1 − a)² + 100 (b − a²)²，从 (−1.2, 1) 附近出发：两个参数，没有噪声，2000 步。"
    ),
    "Five linear layers 16-16-16-16-16-4 with nothing between them learn one matrix from noisy examples.": (
        "五个线性层 16-16-16-16-16-4，中间没有激活，从带噪声的样本学习一个矩阵。"
    ),
}

SOURCES = {
    "synthetic: y = 3x + 2 + noise, drawn from a fixed generator": "合成：y = 3x + 2 + 噪声，由固定的生成器抽取",
    "synthetic: centres drawn from a fixed generator; the least loss is 0": (
        "合成：中心由固定的生成器抽取；最小损失为 0"
    ),
    "synthetic: a function; the least loss is 0": "合成：一个函数；最小损失为 0",
    "synthetic: examples drawn from a fixed generator; the least MSE is 0.01": (
        "合成：样本由固定的生成器抽取；最小均方误差为 0.01"
    ),
}
"""Those of data without a data set; the others are names and addresses."""

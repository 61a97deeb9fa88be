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

DATA_SETS = {
    # titles
    "Handwritten digits, 8 × 8 pixels": "手写数字，8 × 8 像素",
    "MNIST: handwritten digits, 28 × 28 pixels": "MNIST：手写数字，28 × 28 像素",
    "Fashion-MNIST: articles of clothing, 28 × 28 pixels": "Fashion-MNIST：服装图像，28 × 28 像素",
    "California housing, 1990 census": "加利福尼亚房价，1990 年人口普查",
    "Adult: people of the 1994 census": "Adult：1994 年人口普查中的人",
    "20 Newsgroups, split by date, words only": "20 Newsgroups，按日期划分，只含单词",
    "Sentences of film reviews (English), rated by 20 people": "英文影评的句子，由 20 人评分",
    "Reviews of books, hotels and computers (Chinese)": "书籍、酒店和电脑的中文评论",
    "Shakespeare's 38 plays": "莎士比亚的 38 部剧本",
    "Song ci: Chinese lyrics of the 10th to 13th century": "宋词：十至十三世纪的词",
    "MovieLens 100k: ratings of films": "MovieLens 100k：电影评分",
    "Electricity demand in England and Wales, every half-hour of 12 weeks of 2000": (
        "英格兰和威尔士的用电需求，2000 年中 12 周的每半小时"
    ),
    # what an example is
    "64 pixels, 0 to 16": "64 个像素，0 到 16",
    "28 × 28 pixels, 0 to 255; 60000 for training, 10000 for test": (
        "28 × 28 个像素，0 到 255；60000 个用于训练，10000 个用于测试"
    ),
    "8 features of a block group of houses": "一个街区组的 8 个特征",
    "6 numbers and 8 categories of a person; 52 rows are there twice": "一个人的 6 个数值和 8 个类别；52 行出现两次",
    "posts in lower-case letters; 11293 for training, 7528 for test": (
        "小写字母的帖子；11293 篇用于训练，7528 篇用于测试"
    ),
    "sentences of 19 words on average": "句子，平均 19 个词",
    "reviews of about 50 characters; half of them are there twice": "评论，约 50 个字；其中一半出现两次",
    "plays of about 140,000 characters": "剧本，各约 140,000 个字符",
    "lyrics of about 88 characters": "词，各约 88 个字",
    "who (943 people) rated which film (1682)": "谁（943 人）给哪部电影（1682 部）评了分",
    "half-hours from 5 June to 27 August 2000": "2000 年 6 月 5 日至 8 月 27 日的每半小时",
    # what is to be told from it
    "10 classes": "10 个类别",
    "20 groups": "20 个新闻组",
    "median house value, in 100,000 US dollars, capped at 5": "房价中位数，单位 100,000 美元，上限 5",
    "whether the income is above 50,000 US dollars": "收入是否超过 50,000 美元",
    "mean rating, −4 to 4": "平均评分，−4 到 4",
    "negative or positive": "差评或好评",
    "the next character": "下一个字符",
    "rating, 1 to 5": "评分，1 到 5",
    "megawatts": "兆瓦",
}
"""What the table of data sets says about them. Licences and notices are other people's words, and stay as they are."""

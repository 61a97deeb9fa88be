"""The Chinese of words that come with a task and not from here: titles, metrics, losses, and what a seed draws.

A word that is not in the table (a user's own metric or title) is a name, and stays as it is.
"""

from __future__ import annotations

from steepest.language import Text

TERMS = {
    # metrics and losses
    "accuracy": "准确率",
    "loss": "损失",
    "value": "数值",
    "error": "误差",
    "R²": "R²",
    "MSE": "均方误差",
    "MAE": "平均绝对误差",
    "cross_entropy": "交叉熵",
    "cross-entropy": "交叉熵",
    "mse_loss": "均方误差",
    "l1_loss": "平均绝对误差",
    "binary_cross_entropy_with_logits": "二元交叉熵",
    # what a seed draws
    "initial weights": "初始权重",
    "order of the batches": "批的次序",
    "dropout": "随机失活",
    "augmentation": "数据增强",
    "what the model draws": "模型自身的随机抽取",
    "train/validation/test split": "训练集/验证集/测试集的划分",
    "train/validation split": "训练集/验证集的划分",
    "train/test split": "训练集/测试集的划分",
    "validation/test split": "验证集/测试集的划分",
    # where data come from, unless they have a name
    "your own data": "自己的数据",
    # titles of the built-in tasks
    "Digits, small network": "手写数字，小型网络",
    "Digits, softmax regression": "手写数字，softmax 回归",
    "MNIST, network of three layers": "MNIST，三层网络",
    "Clothes, small convolutional network": "服装图像，小型卷积网络",
    "Clothes, small convolutional network with batch norm": "服装图像，带批归一化的小型卷积网络",
    "California house prices": "加利福尼亚房价",
    "Income above 50,000 dollars": "收入是否超过 50,000 美元",
    "Ratings of films, matrix factorization": "电影评分，矩阵分解",
    "Electricity demand of the day that follows": "次日用电需求",
    "Topics of posts, bag of words": "帖子主题，词袋模型",
    "Opinions on films, convolutions over words": "影评情感，词卷积网络",
    "Opinions on films, recurrent network": "影评情感，循环网络",
    "Topics of posts, bag of words with sparse gradients": "帖子主题，词袋模型，稀疏梯度",
    "Ratings of films, matrix factorization with sparse gradients": "电影评分，矩阵分解，稀疏梯度",
    "Opinions in Chinese, recurrent network": "中文评论情感，循环网络",
    "Shakespeare, the next character": "莎士比亚，预测下一个字符",
    "Shakespeare, the next character, long horizon": "莎士比亚，预测下一个字符，长训练",
    "Song lyrics, the next character": "宋词，预测下一个字",
    "The line y = 3x + 2 (synthetic: a tutorial's own example)": "直线 y = 3x + 2（合成数据：一篇教程的例子）",
    "Digits that change as they are learned": "边学边变的手写数字",
    "Clothes, a network that chooses its depth": "服装图像，自己选择深度的网络",
    "A noisy quadratic (synthetic)": "带噪声的二次函数（合成）",
    "Rosenbrock's valley (synthetic)": "Rosenbrock 山谷（合成）",
    "A deep linear network (synthetic)": "深层线性网络（合成）",
}
"""English → Chinese."""


def term(word: str) -> Text:
    """A task's word in both languages; the same in both where the table does not know it."""
    return Text(word, TERMS.get(word, word))

"""Whether the engines agree on the models of the zoo: python -m benchmarks.zoo [--steps 50] [NAMES]

For each model, in double precision: the largest relative difference of the training losses of a fleet, and of a
compiled fleet, from those of each trial trained alone; what torch does inside the compiled program, since it has no C++
form; and what is not compiled at all, with the reason. The exit code is 1 if a difference is above 1e-9.
"""

import argparse
import sys
import warnings

import torch

from benchmarks import zoo
from benchmarks.agreement import compared


def main() -> int:
    asked = argparse.ArgumentParser(prog="python -m benchmarks.zoo", description=__doc__)
    asked.add_argument("names", nargs="*", default=zoo.NAMES, help="models; default: all")
    asked.add_argument("--steps", type=int, default=50)
    given = asked.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    is_right = True
    print(f"{'model':16} {'fleet':>8} {'compiled':>8}  remarks")
    for name in given.names:
        found = compared(name, zoo.task(name), given.steps)
        is_right &= found.is_right
        print(f"{name:16} {found}", flush=True)
    return not is_right


if __name__ == "__main__":
    sys.exit(main())

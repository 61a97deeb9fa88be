"""How much a study or a table may have. Beyond these numbers nobody could wait for the end, or read the verdict; a slip
of the finger is refused at once instead.
"""

MAX_SEEDS = 10_000
MAX_FIRST_SEED = 10**15
MAX_RATES = 500
"""Of one optimizer: in its grid, after the grid, or of the user's own."""
MAX_GROWTHS = 50
"""Times that seeds are added to a study: a verdict pays for each look at it."""
MAX_CONTENDERS = 500
"""Optimizers with their axes and batch sizes: a verdict compares each with each."""
MAX_TASKS = 200
MAX_TRIALS = 1_000_000
MAX_WORKERS = 4_096

MAX_TABLE_BYTES = 64 * 2**20
MAX_TABLE_COLUMNS = 1_000
MAX_TABLE_ROWS = 200_000
MAX_TABLE_OPTIMIZERS = 200
MAX_TABLE_CELLS = 1_000
"""Optimizers on all tasks."""
MAX_TABLE_SEEDS = 1_000
"""Of one optimizer on one task."""
MAX_TABLE_REPLICATES = 10_000
"""Seeds of all optimizers on all tasks."""
MAX_TABLE_PAIRS = 30_000
"""Comparisons of two optimizers on all tasks."""

MAX_NOTES_BYTES = 16 * 2**20
"""Of a task file, or of a file that says how columns are read."""
MAX_STUDY_BYTES = 2**30
"""Of one file of a study."""

"""What the fork server imports once, so that every worker starts with it."""

import sklearn.metrics  # noqa: F401
import torch._dynamo  # noqa: F401  (the first optimiser of a process imports it, which takes 4 seconds of a core)

import lcm.training.jobs  # noqa: F401
import lcm.training.run  # noqa: F401

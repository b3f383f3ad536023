"""What the fork server imports once, so that every worker starts with it."""

import sklearn.metrics  # noqa: F401
import torch  # noqa: F401

import lcm.training.jobs  # noqa: F401
import lcm.training.run  # noqa: F401

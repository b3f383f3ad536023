"""`lcm compare`: which training target is best for a table of labelled texts? One command, no clone and no DVC."""

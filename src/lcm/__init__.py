"""Label confusion learning: the reference study, and its method as a small library."""

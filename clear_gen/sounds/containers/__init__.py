"""What audio containers say of their own length, where libsndfile trusts an estimate: one file per container."""

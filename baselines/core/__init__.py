"""What every task shares: runs, checkpoints, training, predictions, results, intervals."""

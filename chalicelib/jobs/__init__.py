"""Jobs: work on more rows than one transaction holds, done step by step and resumed wherever it stopped."""

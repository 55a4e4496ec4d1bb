"""The local stack: the whole of Parley on one machine, without an AWS account."""

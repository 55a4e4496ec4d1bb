"""What running Parley on AWS costs, from what is measured here and list prices: see docs/cost.md."""

"""What all regions share: which there are, and which slug is whose."""

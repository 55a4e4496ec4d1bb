"""What an operator deploys: CloudFormation sources, the packager, and what the API gateway answers by itself."""

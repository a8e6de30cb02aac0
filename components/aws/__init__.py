"""What a stack declares on AWS."""

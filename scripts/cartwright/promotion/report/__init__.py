"""What promotion has to say, as text for people and as JSON for programs."""

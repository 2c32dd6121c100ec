"""What every package builds on: errors, programs, paths, output, remembered verdicts. Imports nothing of ours."""

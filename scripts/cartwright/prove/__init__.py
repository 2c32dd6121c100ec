"""Proofs of the policy suite: cases, mutations, two engines compared, and coverage."""

"""Proofs of the policy suite: fixtures, mutations, two engines compared, and coverage."""

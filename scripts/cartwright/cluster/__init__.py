"""The embedded cluster: real control planes, simulated nodes, real Argo CD, all of it on this machine.

    state → certificates → components → processes (supervisord) → bootstrap → argocd → wait

``lifecycle`` strings these together for ``cartwright up`` and ``down``; ``status`` reads what Argo CD says.
"""

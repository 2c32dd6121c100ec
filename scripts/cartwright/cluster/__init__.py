"""The embedded cluster: real control planes, simulated nodes, real Argo CD, all of it on this machine.

    state → certificates → components → processes (supervisord) → bootstrap → argocd → wait

``up`` strings these together, ``down`` takes all of it away; ``status`` reads what Argo CD says.
"""

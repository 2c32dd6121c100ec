"""Moving versions between environments: all state is Git, each edit touches only the scalars it means.

Nothing is imported here, as reading the environments asks for the order alone.
"""

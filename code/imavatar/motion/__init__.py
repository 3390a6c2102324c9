"""What moves an avatar: built-in motions, recordings, tables of coefficients, names of expressions and joints."""

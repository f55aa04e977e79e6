"""Matrix products and factorizations: which calls of BLAS and LAPACK they are."""

"""Running a flow: written once, as generators of steps, with small drivers that perform them."""

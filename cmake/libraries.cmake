# What people link: libgalley-pool (needs libc only) and libgalley, static and shared; and the program.
# A shared library exports galley_* and nothing else; packaging/*.map says so again.

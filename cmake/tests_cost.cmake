# What a request costs (tests/unit/h1/test_cost.c): the program counts its own calls of pthread_mutex_lock().
target_link_options(unit_h1_test_cost PRIVATE LINKER:--wrap=pthread_mutex_lock)

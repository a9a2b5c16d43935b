# The pool's tests beyond the unit tests: stress programs (meant above all for the tsan preset) and the exhaustive
# model of its sleep/wake protocol.
if(pool IN_LIST ROOMS)
    file(GLOB stress CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/stress/pool/stress_*.c)
    foreach(test IN LISTS stress)
        get_filename_component(name ${test} NAME_WE)
        add_room_test(stress_pool_${name} pool ${test} $<TARGET_OBJECTS:test_support_pool>)
        target_include_directories(stress_pool_${name} PRIVATE ${PROJECT_SOURCE_DIR}/tests/unit/pool)
    endforeach()
endif()

# The models do not depend on how galley is built: not repeated with a sanitizer. They take longest, so they begin first.
if(NOT GALLEY_SANITIZE)
    foreach(model sleepers gate deque group)
        add_test(NAME model_pool_${model}
            COMMAND ${PROJECT_SOURCE_DIR}/tests/model/pool/run_models ${PROJECT_BINARY_DIR}/model_pool_${model} ${model})
        set_tests_properties(model_pool_${model} PROPERTIES SKIP_RETURN_CODE 77 TIMEOUT 600 COST 1000)
    endforeach()
endif()

# FNV-1a of "hello" is known; a file that is not there must be told.
if(TARGET example_hash_files)
    file(WRITE ${PROJECT_BINARY_DIR}/hash_files_input.txt "hello")
    add_test(NAME example_hash_files COMMAND example_hash_files ${PROJECT_BINARY_DIR}/hash_files_input.txt /nonexistent)
    set_tests_properties(example_hash_files PROPERTIES
        PASS_REGULAR_EXPRESSION "a430d84680aabd0b  .*hash_files_input.txt\n *unreadable  /nonexistent")
endif()

if(TARGET example_fib)
    add_test(NAME example_fib COMMAND example_fib --threads=3 22)
    set_tests_properties(example_fib PROPERTIES
        PASS_REGULAR_EXPRESSION "fork/join fib\\(22\\) = 17711 .*serial    fib\\(22\\) = 17711 ")
endif()

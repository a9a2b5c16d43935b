# Tests that see what a user sees. tests/public/test_*.c: C tests of the public API, run by ctest.
# tests/programs/NAME.c: helper servers of the whole-server tests, built to programs/NAME.
if(TARGET galley_static)
    file(GLOB tests CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/public/test_*.c)
    foreach(test IN LISTS tests)
        get_filename_component(name ${test} NAME_WE)
        add_outsider(public_${name} tests ${test} $<TARGET_OBJECTS:test_harness>)
        target_include_directories(public_${name} PRIVATE ${PROJECT_SOURCE_DIR}/tests/harness)
        target_compile_definitions(public_${name} PRIVATE _GNU_SOURCE GALLEY_SOURCE_DIR="${PROJECT_SOURCE_DIR}"
            $<$<BOOL:${GALLEY_DEBUG_CHECKS}>:GALLEY_DEBUG>)
        add_test(NAME public_${name} COMMAND public_${name})
        add_dependencies(unit_tests public_${name})
    endforeach()

    add_custom_target(test_programs)
    file(GLOB programs CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/programs/*.c)
    foreach(program IN LISTS programs)
        get_filename_component(name ${program} NAME_WE)
        add_outsider(program_${name} programs ${program})
        set_target_properties(program_${name} PROPERTIES OUTPUT_NAME ${name})
        target_compile_definitions(program_${name} PRIVATE _GNU_SOURCE)
        add_dependencies(test_programs program_${name})
    endforeach()
endif()

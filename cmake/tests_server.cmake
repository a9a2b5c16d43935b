# Stress of whole servers: tests/stress/server, one program, which sees what a user sees.
if(TARGET galley_static)
    file(GLOB chaos CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/stress/server/*.c)
    add_outsider(stress_server tests ${chaos} $<TARGET_OBJECTS:test_harness>)
    target_include_directories(stress_server PRIVATE ${PROJECT_SOURCE_DIR}/tests/harness
        ${PROJECT_SOURCE_DIR}/tests/public)
    target_compile_definitions(stress_server PRIVATE _GNU_SOURCE GALLEY_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
    add_test(NAME stress_server COMMAND stress_server)
    add_dependencies(unit_tests stress_server)
endif()

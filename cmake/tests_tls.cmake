# What stands on TLS: tests/unit/tls/whole/test_*.c, connections and the h1 driver over a TLS transport. They link the
# rooms h1 and tls, which do not know each other, and the support of both rooms' tests.
if("tls" IN_LIST ROOMS AND "h1" IN_LIST ROOMS)
    room_objects(tls_whole_objects tls h1)
    room_links(tls_whole_links tls h1)
    file(GLOB tls_whole_support CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/unit/tls/whole/support_*.c)
    file(GLOB tls_whole_tests CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/unit/tls/whole/test_*.c)
    foreach(test IN LISTS tls_whole_tests)
        get_filename_component(name ${test} NAME_WE)
        set(target unit_tls_whole_${name})
        add_executable(${target} ${test} ${tls_whole_support} $<TARGET_OBJECTS:test_harness> ${tls_whole_objects}
            ${PROJECT_SOURCE_DIR}/tests/unit/tls/support_transport.c ${PROJECT_SOURCE_DIR}/tests/unit/h1/support_h1.c)
        target_link_libraries(${target} PRIVATE galley_flags Threads::Threads m ${tls_whole_links})
        target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR}/tests/harness
            ${PROJECT_SOURCE_DIR}/tests/unit/tls ${PROJECT_SOURCE_DIR}/tests/unit/h1)
        set_target_properties(${target} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests)
        add_test(NAME ${target} COMMAND ${target})
        add_dependencies(unit_tests ${target})
    endforeach()
endif()

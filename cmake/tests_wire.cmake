# The request tables (tests/data/*_requests.txt) and their reader, for whoever runs them: link test_requests.
add_library(test_requests OBJECT tests/harness/bad_requests.c)
target_link_libraries(test_requests PRIVATE galley_flags)
target_include_directories(test_requests PRIVATE ${PROJECT_SOURCE_DIR}/tests/harness)
target_compile_definitions(test_requests PRIVATE GALLEY_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
if(TARGET unit_wire_test_requests)
    target_sources(unit_wire_test_requests PRIVATE $<TARGET_OBJECTS:test_requests>)
endif()

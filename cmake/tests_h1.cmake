# The driver's tests run the request tables too (tests/data/*_requests.txt).
if(TARGET unit_h1_test_table)
    target_sources(unit_h1_test_table PRIVATE $<TARGET_OBJECTS:test_requests>)
endif()

# Examples that are tests themselves: run by ctest, they pass when they end with 0.
foreach(name test_without_sockets)
    if(TARGET example_${name})
        add_test(NAME example_${name} COMMAND example_${name})
        add_dependencies(unit_tests example_${name})
    endif()
endforeach()

# galley.1, written by the program itself from its option table, so that the page cannot lag behind.
if(TARGET galley AND NOT CMAKE_CROSSCOMPILING)
    add_custom_command(OUTPUT ${PROJECT_BINARY_DIR}/galley.1
        COMMAND galley --help=man > ${PROJECT_BINARY_DIR}/galley.1
        DEPENDS galley VERBATIM)
    add_custom_target(manual ALL DEPENDS ${PROJECT_BINARY_DIR}/galley.1)
    add_dependencies(product manual)
endif()

# Pages made by the build: galley.1 and the completion for bash, written by the program itself from its option table,
# so that they cannot lag behind; the reference of the library (HTML, man section 3), from the comments of
# include/galley. Without python3 there is no reference.
if(TARGET galley AND NOT CMAKE_CROSSCOMPILING)
    add_custom_command(OUTPUT ${PROJECT_BINARY_DIR}/galley.1 ${PROJECT_BINARY_DIR}/galley.bash
        COMMAND galley --help=man > ${PROJECT_BINARY_DIR}/galley.1
        COMMAND galley --help=bash > ${PROJECT_BINARY_DIR}/galley.bash
        DEPENDS galley VERBATIM)
    add_custom_target(manual ALL DEPENDS ${PROJECT_BINARY_DIR}/galley.1 ${PROJECT_BINARY_DIR}/galley.bash)
    add_dependencies(product manual)
endif()

find_package(Python3 COMPONENTS Interpreter)
if(Python3_Interpreter_FOUND)
    file(GLOB public_headers CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/include/galley/*.h)
    set(make_reference ${PROJECT_SOURCE_DIR}/tools/make_reference)
    add_custom_command(OUTPUT ${PROJECT_BINARY_DIR}/reference/stamp
        COMMAND ${Python3_EXECUTABLE} ${make_reference} --out ${PROJECT_BINARY_DIR}/reference
        COMMAND ${CMAKE_COMMAND} -E touch ${PROJECT_BINARY_DIR}/reference/stamp
        DEPENDS ${public_headers} ${make_reference} ${PROJECT_SOURCE_DIR}/tools/reference.py VERBATIM)
    add_custom_target(reference DEPENDS ${PROJECT_BINARY_DIR}/reference/stamp)
    add_dependencies(product reference)
endif()

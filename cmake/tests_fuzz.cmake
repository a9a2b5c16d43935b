# Fuzz targets: tests/fuzz/fuzz_<room>_*.c, each with its corpus in tests/fuzz/corpus/<target>/. The rooms it
# links are those a line `/* rooms: http wire */` in it names, else the one in its name; a line
# `/* with: answers */` links tests/fuzz/support_answers.c to it.
#   replay_<rest>   in every build: runs the target over each file of its corpus, as an ordinary test
#   fuzz_<rest>     with GALLEY_FUZZ: the libFuzzer program, in fuzz/ of the build folder, for tools/run_fuzz;
#                   the target fuzz_targets builds all of them
add_library(fuzz_main OBJECT tests/harness/fuzz_main.c)
target_link_libraries(fuzz_main PRIVATE galley_flags)
add_custom_target(fuzz_replays)
add_custom_target(fuzz_targets)

function(add_fuzz_program target folder source rooms)
    room_objects(objects ${rooms})
    room_links(links ${rooms})
    add_executable(${target} ${source} ${objects} ${ARGN})
    target_link_libraries(${target} PRIVATE galley_flags Threads::Threads m ${links})
    target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR}/tests/harness)
    set_target_properties(${target} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/${folder})
endfunction()

file(GLOB fuzz_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/fuzz/fuzz_*.c)
foreach(source IN LISTS fuzz_sources)
    get_filename_component(name ${source} NAME_WE)
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${source}) # for its lines
    file(STRINGS ${source} rooms_line REGEX "/\\* rooms: [a-z0-9 ]+ \\*/" LIMIT_COUNT 1)
    if(rooms_line)
        string(REGEX REPLACE ".*/\\* rooms: ([a-z0-9 ]+) \\*/.*" "\\1" rooms "${rooms_line}")
        separate_arguments(rooms)
    else()
        string(REGEX REPLACE "^fuzz_([a-z0-9]+)_.*" "\\1" rooms "${name}")
    endif()
    set(support "")
    file(STRINGS ${source} with_line REGEX "/\\* with: [a-z0-9_ ]+ \\*/" LIMIT_COUNT 1)
    if(with_line)
        string(REGEX REPLACE ".*/\\* with: ([a-z0-9_ ]+) \\*/.*" "\\1" with "${with_line}")
        separate_arguments(with)
        list(TRANSFORM with REPLACE "(.+)" "${PROJECT_SOURCE_DIR}/tests/fuzz/support_\\1.c" OUTPUT_VARIABLE support)
    endif()
    string(REGEX REPLACE "^fuzz_" "replay_" replay "${name}")
    add_fuzz_program(${replay} tests ${source} "${rooms}" ${support} $<TARGET_OBJECTS:fuzz_main>)
    add_dependencies(fuzz_replays ${replay})
    add_test(NAME ${replay} COMMAND ${replay} ${PROJECT_SOURCE_DIR}/tests/fuzz/corpus/${name})
    if(GALLEY_FUZZ)
        add_fuzz_program(${name} fuzz ${source} "${rooms}" ${support})
        target_link_options(${name} PRIVATE -fsanitize=fuzzer)
        add_dependencies(fuzz_targets ${name})
    endif()
endforeach()

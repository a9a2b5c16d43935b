# bench/micro: bench/bench_micro of the build folder, the hot path's steps with the rooms they belong to, for
# tools/check_instructions. Counts are of the release build; nothing depends on it elsewhere.
if(NOT GALLEY_SANITIZE AND NOT GALLEY_FUZZ)
    file(GLOB micro_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/bench/micro/*.c)
    room_objects(micro_objects wire hpack route files loop observe)
    room_links(micro_links wire hpack route files loop observe)
    add_executable(bench_micro EXCLUDE_FROM_ALL ${micro_sources} ${micro_objects})
    target_link_libraries(bench_micro PRIVATE galley_flags Threads::Threads m ${micro_links})
    set_target_properties(bench_micro PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/bench)
endif()

# bench/load and bench/floor: bench/bench_client, bench_handlers, bench_floor_epoll and, with liburing, bench_floor_uring
# of the build folder. All but the last are part of `all`, for a test runs them. Client and floors are plain C programs
# without any of galley (the client knows TLS and HTTP/2 by the libraries that galley has them by); the handlers see what a user sees.
add_custom_target(bench_load)

# add_bench_plain(name source...)
function(add_bench_plain name)
    add_executable(bench_${name} ${ARGN})
    target_compile_definitions(bench_${name} PRIVATE _GNU_SOURCE)
    target_compile_options(bench_${name} PRIVATE -O2 -Wall -Wextra -Wshadow -Wvla -Wstrict-prototypes)
    if(GALLEY_WERROR)
        target_compile_options(bench_${name} PRIVATE -Werror)
    endif()
    set_target_properties(bench_${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/bench)
    add_dependencies(bench_load bench_${name})
endfunction()

if(TARGET galley_static AND NOT GALLEY_FUZZ)
    file(GLOB client_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/bench/load/client*.c)
    set(floor ${PROJECT_SOURCE_DIR}/bench/floor)
    add_bench_plain(client ${client_sources})
    target_link_libraries(bench_client PRIVATE ssl crypto nghttp2) # the last for a client that is not ours
    add_bench_plain(floor_epoll ${floor}/epoll.c ${floor}/floor.c)
    find_library(BENCH_URING uring)
    if(BENCH_URING)
        add_bench_plain(floor_uring ${floor}/uring.c ${floor}/floor.c)
        target_link_libraries(bench_floor_uring PRIVATE ${BENCH_URING})
    endif()

    add_outsider(bench_handlers bench ${PROJECT_SOURCE_DIR}/bench/load/handlers.c)
    target_compile_definitions(bench_handlers PRIVATE _GNU_SOURCE)
    target_link_libraries(bench_handlers PRIVATE Threads::Threads)
    add_dependencies(bench_load bench_handlers)
    if(TARGET galley)
        add_dependencies(bench_load galley)
    endif()
endif()

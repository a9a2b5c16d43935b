# bench/pool: one program for each pool, bench/bench_pool_NAME, from the same rows and one adapter. galley, and OpenMP
# where the compiler has it, are always built (a test runs them); the target bench_pool builds whatever is installed.
# What is missing is listed in bench/missing.txt, which the runner prints.
add_custom_target(bench_pool)
set(bench_missing "")
set(bench_rows main measure row_empty row_latency row_work row_fork row_overload row_ends)
list(TRANSFORM bench_rows PREPEND ${PROJECT_SOURCE_DIR}/bench/pool/)
list(TRANSFORM bench_rows APPEND .c)

# add_bench_peer(name source link-library...): sees what a user sees, the public headers, and none of galley's flags.
function(add_bench_peer name source)
    set(target bench_pool_${name})
    add_executable(${target} EXCLUDE_FROM_ALL ${bench_rows} ${PROJECT_SOURCE_DIR}/bench/pool/${source})
    target_link_libraries(${target} PRIVATE ${ARGN} Threads::Threads m)
    target_compile_definitions(${target} PRIVATE _GNU_SOURCE)
    target_compile_options(${target} PRIVATE -Wall -Wextra -Wshadow -Wvla)
    if(GALLEY_WERROR)
        target_compile_options(${target} PRIVATE -Werror)
    endif()
    set_target_properties(${target} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/bench LINKER_LANGUAGE C)
    add_dependencies(bench_pool ${target})
endfunction()

# add_bench_package(name pkg-config-name debian-package source): a peer that pkg-config knows.
function(add_bench_package name module package source)
    if(PKG_CONFIG_FOUND)
        separate_arguments(modules UNIX_COMMAND "${module}")
        pkg_check_modules(${name} QUIET IMPORTED_TARGET ${modules})
    endif()
    if(${name}_FOUND)
        add_bench_peer(${name} ${source} PkgConfig::${name})
    else()
        set(bench_missing "${bench_missing}${name} ${package}\n" PARENT_SCOPE)
    endif()
endfunction()

if(TARGET galley_pool_shared AND NOT GALLEY_SANITIZE)
    find_package(PkgConfig QUIET)
    add_bench_peer(galley peer_galley.c galley_pool_shared) # shared, as the peers are

    find_package(OpenMP QUIET COMPONENTS C)
    if(OpenMP_C_FOUND)
        add_bench_peer(openmp peer_openmp.c OpenMP::OpenMP_C)
    else()
        set(bench_missing "${bench_missing}openmp libgomp1\n")
    endif()

    add_bench_package(glib glib-2.0 libglib2.0-dev peer_glib.c)
    add_bench_package(apr "apr-util-1 apr-1" libaprutil1-dev peer_apr.c)
    add_bench_package(libuv libuv libuv1-dev peer_libuv.c)

    include(CheckLanguage)
    if(NOT CMAKE_CXX_COMPILER)
        unset(CMAKE_CXX_COMPILER CACHE) # it may have been installed since
        unset(CMAKE_CXX_COMPILER)
    endif()
    check_language(CXX)
    if(CMAKE_CXX_COMPILER)
        enable_language(CXX)
        set(CMAKE_CXX_STANDARD 17)
        add_bench_package(tbb tbb libtbb-dev peer_tbb.cpp)
        if(TARGET bench_pool_tbb)
            set_target_properties(bench_pool_tbb PROPERTIES LINKER_LANGUAGE CXX)
        endif()
    else()
        set(bench_missing "${bench_missing}tbb g++\n")
    endif()

    # C-Thread-Pool is a header and a source file to compile.
    find_file(CTHREADPOOL_SOURCE thpool.c PATHS /usr/share/cthreadpool NO_DEFAULT_PATH)
    if(CTHREADPOOL_SOURCE)
        execute_process(COMMAND dpkg-query -W -f "\${Version}" cthreadpool-dev
            OUTPUT_VARIABLE cthreadpool_version ERROR_QUIET)
        add_library(cthreadpool OBJECT EXCLUDE_FROM_ALL ${CTHREADPOOL_SOURCE})
        target_include_directories(cthreadpool PRIVATE /usr/include/cthreadpool)
        target_compile_options(cthreadpool PRIVATE -w) # not our code
        add_bench_peer(cthreadpool peer_cthreadpool.c $<TARGET_OBJECTS:cthreadpool>)
        target_compile_definitions(bench_pool_cthreadpool PRIVATE
            BENCH_CTHREADPOOL_VERSION="${cthreadpool_version}")
    else()
        set(bench_missing "${bench_missing}cthreadpool cthreadpool-dev\n")
    endif()

    add_library(bench_refuse_threads MODULE EXCLUDE_FROM_ALL ${PROJECT_SOURCE_DIR}/bench/pool/refuse_threads.c)
    target_compile_definitions(bench_refuse_threads PRIVATE _GNU_SOURCE)
    target_link_libraries(bench_refuse_threads PRIVATE dl)
    set_target_properties(bench_refuse_threads PROPERTIES PREFIX "" OUTPUT_NAME refuse_threads
        LIBRARY_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/bench)
    add_dependencies(bench_pool bench_refuse_threads)
    file(WRITE ${PROJECT_BINARY_DIR}/bench/missing.txt "${bench_missing}")

    # A test runs these.
    foreach(target IN ITEMS bench_pool_galley bench_pool_openmp bench_refuse_threads)
        if(TARGET ${target})
            set_target_properties(${target} PROPERTIES EXCLUDE_FROM_ALL OFF)
        endif()
    endforeach()
endif()

# bench/accept: counts, no times (docs/scaling.md).
if(TARGET galley_static)
    add_executable(bench_accept_spread EXCLUDE_FROM_ALL ${PROJECT_SOURCE_DIR}/bench/accept/spread.c)
    target_link_libraries(bench_accept_spread PRIVATE galley_static galley_pool_static Threads::Threads)
    target_compile_definitions(bench_accept_spread PRIVATE _GNU_SOURCE)
    target_compile_options(bench_accept_spread PRIVATE -Wall -Wextra -Wshadow -Wvla)
    set_target_properties(bench_accept_spread PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/bench)
endif()

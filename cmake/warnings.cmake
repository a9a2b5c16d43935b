# Flags for every file of galley: warnings, sanitizers, debug checks.
add_library(galley_flags INTERFACE)
target_include_directories(galley_flags INTERFACE ${PROJECT_SOURCE_DIR}/include ${PROJECT_SOURCE_DIR}/src)
target_compile_definitions(galley_flags INTERFACE _GNU_SOURCE)
target_compile_options(galley_flags INTERFACE
    -Wall -Wextra -Wshadow -Wconversion -Wsign-conversion -Wundef -Wvla -Wmissing-prototypes
    -Wstrict-prototypes -Wformat=2 -Wpointer-arith -Wcast-qual -Wwrite-strings
    -fno-omit-frame-pointer -fstack-protector-strong)
if(GALLEY_WERROR)
    target_compile_options(galley_flags INTERFACE -Werror)
endif()
if(GALLEY_DEBUG_CHECKS)
    # XXH_NO_INLINE_HINTS: xxhash.h insists on inlining, which -Og does not do.
    target_compile_definitions(galley_flags INTERFACE GALLEY_DEBUG=1 GALLEY_FAULTS=1 XXH_NO_INLINE_HINTS=1)
else()
    target_compile_options(galley_flags INTERFACE -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2)
endif()
if(GALLEY_SANITIZE)
    target_compile_options(galley_flags INTERFACE -fsanitize=${GALLEY_SANITIZE} -fno-sanitize-recover=all)
    target_link_options(galley_flags INTERFACE -fsanitize=${GALLEY_SANITIZE})
endif()
if(GALLEY_FUZZ)
    target_compile_options(galley_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()
# The static libraries are for any compiler: their objects hold machine code beside gcc's intermediate code, which
# `install` takes away (cmake/install.cmake). clang 14 has no such objects, so its builds do without.
if(GALLEY_LTO AND CMAKE_C_COMPILER_ID STREQUAL "GNU")
    set(CMAKE_INTERPROCEDURAL_OPTIMIZATION ON)
    set(CMAKE_C_COMPILE_OPTIONS_IPO -flto=auto -ffat-lto-objects)
endif()

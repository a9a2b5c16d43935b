# What people link: libgalley-pool (base and pool; needs libc only) and libgalley (every other room up to server),
# each static and shared; and the program galley. Each is there once its rooms have sources.
# A shared library exports galley_* and nothing else; packaging/*.map says so again.
#
# Both shared libraries hold a hidden copy of base, because base exports nothing; only src/base/public.c
# (galley_version and the like) lives once, in libgalley-pool. The static libgalley has no copy: link -lgalley
# before -lgalley-pool.
#
# What else libgalley stands on: the libraries that its rooms name (cmake/rooms.cmake). The pool needs libc only.
# cmake/install.cmake writes them into galley.pc, for programs that link libgalley.a; their Debian packages stand in
# packaging/debian-packages.txt and packaging/debian/control.
room_links(GALLEY_NEEDS server)
add_custom_target(product COMMENT "libraries, program and examples")
set(GALLEY_SOVERSION 0)

# add_galley_library(target name shared-or-static object...)
function(add_galley_library target name kind)
    add_library(${target} ${kind} ${ARGN})
    set_target_properties(${target} PROPERTIES OUTPUT_NAME ${name} LINKER_LANGUAGE C)
    target_include_directories(${target} INTERFACE $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>
        $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
    target_link_libraries(${target} PUBLIC Threads::Threads)
    if(GALLEY_SANITIZE)
        target_link_options(${target} PUBLIC -fsanitize=${GALLEY_SANITIZE})
    endif()
    if(kind STREQUAL SHARED)
        set(map ${PROJECT_SOURCE_DIR}/packaging/${name}.map)
        set_target_properties(${target} PROPERTIES VERSION ${PROJECT_VERSION} SOVERSION ${GALLEY_SOVERSION}
            LINK_DEPENDS ${map})
        target_link_options(${target} PRIVATE -Wl,--version-script=${map})
        if(NOT GALLEY_SANITIZE) # a sanitizer's run-time part comes with the program
            target_link_options(${target} PRIVATE -Wl,--no-undefined)
        endif()
    endif()
    add_dependencies(product ${target})
endfunction()

if(pool IN_LIST ROOMS AND base IN_LIST ROOMS)
    room_objects(pool_objects pool)
    add_galley_library(galley_pool_static galley-pool STATIC ${pool_objects})
    add_galley_library(galley_pool_shared galley-pool SHARED ${pool_objects})
endif()

if(server IN_LIST ROOMS AND TARGET galley_pool_static)
    set(upper_objects "")
    foreach(room IN LISTS ROOMS)
        if(NOT room MATCHES "^(base|pool|daemon)$")
            list(APPEND upper_objects $<TARGET_OBJECTS:room_${room}>)
        endif()
    endforeach()
    add_galley_library(galley_static galley STATIC ${upper_objects})
    target_link_libraries(galley_static PUBLIC galley_pool_static)

    file(GLOB base_copy CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/base/*.c)
    list(REMOVE_ITEM base_copy ${PROJECT_SOURCE_DIR}/src/base/public.c)
    add_library(base_copy OBJECT ${base_copy})
    target_link_libraries(base_copy PRIVATE galley_flags)
    add_galley_library(galley_shared galley SHARED ${upper_objects} $<TARGET_OBJECTS:base_copy>)
    target_link_libraries(galley_shared PUBLIC galley_pool_shared)
    foreach(need IN LISTS GALLEY_NEEDS)
        target_link_libraries(galley_static PUBLIC ${need})
        target_link_libraries(galley_shared PRIVATE ${need})
    endforeach()
endif()

# The first customer of the public API: src/daemon uses <galley/*.h> and base (tools/check_layers), nothing else.
if(daemon IN_LIST ROOMS AND TARGET galley_static)
    add_executable(galley $<TARGET_OBJECTS:room_daemon>)
    set_target_properties(galley PROPERTIES LINKER_LANGUAGE C)
    target_link_libraries(galley PRIVATE galley_static galley_pool_static)
    add_dependencies(product galley)
endif()

# What `cmake --install` puts into a prefix (docs/packaging.md): the program, the libraries, headers, pkg-config files,
# a CMake package, manual pages, completion for bash. Nothing installed names the prefix, so it may be moved, or
# chosen at the last moment: cmake --install FOLDER --prefix PREFIX.
if(NOT TARGET galley_shared)
    return()
endif()
include(CMakePackageConfigHelpers)

set(link_names galley_pool_static galley_pool_shared galley_static galley_shared)
set_target_properties(galley_shared PROPERTIES EXPORT_NAME galley)
set_target_properties(galley_static PROPERTIES EXPORT_NAME galley_static)
set_target_properties(galley_pool_shared PROPERTIES EXPORT_NAME pool)
set_target_properties(galley_pool_static PROPERTIES EXPORT_NAME pool_static)
# libgalley finds the libgalley-pool that lies beside it, wherever that is. Distributions turn this off with
# CMAKE_SKIP_INSTALL_RPATH: their folders are searched anyway.
set_target_properties(galley_shared PROPERTIES INSTALL_RPATH "$ORIGIN")

install(TARGETS ${link_names} EXPORT galley_targets
    LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(DIRECTORY include/galley DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN "*.h")
if(TARGET galley)
    install(TARGETS galley RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
    install(FILES ${PROJECT_BINARY_DIR}/galley.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
    install(FILES ${PROJECT_BINARY_DIR}/galley.bash RENAME galley
        DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions)
endif()
if(TARGET reference)
    install(DIRECTORY ${PROJECT_BINARY_DIR}/reference/man3 DESTINATION ${CMAKE_INSTALL_MANDIR})
    install(DIRECTORY ${PROJECT_BINARY_DIR}/reference/html DESTINATION ${CMAKE_INSTALL_DOCDIR})
endif()

# ---- static libraries without intermediate code: another version of gcc would refuse it, and clang has no use for it
if(CMAKE_INTERPROCEDURAL_OPTIMIZATION)
    install(CODE "
        foreach(name galley galley-pool)
            execute_process(COMMAND \"${CMAKE_OBJCOPY}\" --enable-deterministic-archives
                --wildcard --remove-section=.gnu.lto_* --remove-section=.gnu.debuglto_*
                \"\$ENV{DESTDIR}\${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_LIBDIR}/lib\${name}.a\" COMMAND_ERROR_IS_FATAL ANY)
        endforeach()")
endif()

# ---- pkg-config files; paths are given from the place of the file
set(pc_folder ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
file(RELATIVE_PATH PC_PREFIX /prefix/${pc_folder} /prefix)
string(REGEX REPLACE "/$" "" PC_PREFIX "${PC_PREFIX}")
list(TRANSFORM GALLEY_NEEDS PREPEND -l OUTPUT_VARIABLE PC_LIBS_PRIVATE)
list(JOIN PC_LIBS_PRIVATE " " PC_LIBS_PRIVATE)
foreach(name galley galley-pool)
    configure_file(packaging/${name}.pc.in ${PROJECT_BINARY_DIR}/${name}.pc @ONLY)
    install(FILES ${PROJECT_BINARY_DIR}/${name}.pc DESTINATION ${pc_folder})
endforeach()

# ---- the CMake package: galley::galley, galley::pool, galley::galley_static, galley::pool_static
set(package_folder ${CMAKE_INSTALL_LIBDIR}/cmake/galley)
install(EXPORT galley_targets NAMESPACE galley:: FILE galley-targets.cmake DESTINATION ${package_folder})
configure_package_config_file(packaging/galley-config.cmake.in ${PROJECT_BINARY_DIR}/galley-config.cmake
    INSTALL_DESTINATION ${package_folder})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/galley-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/galley-config.cmake ${PROJECT_BINARY_DIR}/galley-config-version.cmake
    DESTINATION ${package_folder})

# Tests in which system calls fail: tests/fault/test_<room>_*.c, linked with -Wl,--wrap so that each call listed here goes
# through tests/fault/support_wrap.c. Without _FORTIFY_SOURCE and LTO, which would go round it: builds with debug checks.
if(GALLEY_DEBUG_CHECKS)
    set(wrapped_calls accept4 bind epoll_create1 epoll_ctl epoll_wait eventfd getpeername listen recv send sendfile
        sendmsg setsockopt socket write)
    list(TRANSFORM wrapped_calls PREPEND "-Wl,--wrap=" OUTPUT_VARIABLE wrap_options)
    set(wrapped_uring_calls io_uring_queue_init_params io_uring_register_buf_ring io_uring_register_probe
        io_uring_register_ring_fd io_uring_submit io_uring_submit_and_get_events io_uring_submit_and_wait
        io_uring_submit_and_wait_timeout mmap)
    list(TRANSFORM wrapped_uring_calls PREPEND "-Wl,--wrap=" OUTPUT_VARIABLE wrap_uring_options)
    file(GLOB fault_tests CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/fault/test_*.c)
    foreach(test IN LISTS fault_tests)
        get_filename_component(name ${test} NAME_WE)
        string(REGEX REPLACE "^test_([a-z0-9]+)_.*" "\\1" room ${name})
        if(room IN_LIST ROOMS)
            add_room_test(fault_${name} ${room} ${test} ${PROJECT_SOURCE_DIR}/tests/fault/support_wrap.c)
            target_link_options(fault_${name} PRIVATE ${wrap_options})
            if(name MATCHES "_uring$")
                target_sources(fault_${name} PRIVATE ${PROJECT_SOURCE_DIR}/tests/fault/support_wrap_uring.c)
                target_link_options(fault_${name} PRIVATE ${wrap_uring_options})
            endif()
        endif()
    endforeach()
endif()

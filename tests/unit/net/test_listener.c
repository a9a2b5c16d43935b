/* tests/unit/net/test_listener.c — listening sockets of every kind, over the real kernel. */
#include "net/listener.h"

#include "net/socket.h"
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static void open_listener(struct listener *listener, const char *text)
{
    struct address address;
    galley_error err = {0};
    EXPECT_INT(address_parse(&address, span_of(text), &err), 0);
    int result = listener_open(listener, &address, &err);
    if (result != 0) {
        test_fail(__FILE__, __LINE__, "%s: %s", text, err.message);
    }
}

static void expect_failure(const char *text, int code, const char *sentence)
{
    struct address address;
    struct listener listener;
    galley_error err = {0};
    EXPECT_INT(address_parse(&address, span_of(text), &err), 0);
    EXPECT_INT(listener_open(&listener, &address, &err), code);
    EXPECT_INT(err.code, code);
    EXPECT_TEXT(err.message, sentence);
}

static int connect_to(const struct listener *listener)
{
    const struct address *address = &listener->address;
    int fd = socket(address->storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    EXPECT_INT(connect(fd, (const struct sockaddr *)&address->storage, address->len), 0);
    return fd;
}

TEST(port_0_becomes_the_port_that_the_system_chose)
{
    struct listener listener;
    open_listener(&listener, "127.0.0.1:0");
    EXPECT(listener_port(&listener) > 0);
    char name[64];
    snprintf(name, sizeof(name), "127.0.0.1:%u", listener_port(&listener));
    EXPECT_TEXT(listener.name, name);
    close(connect_to(&listener));
    listener_close(&listener);
    EXPECT_INT(listener.fd, -1);
    listener_close(&listener); /* allowed */
}

TEST(the_socket_is_nonblocking_close_on_exec_and_its_children_do_not_delay)
{
    struct listener listener;
    open_listener(&listener, "127.0.0.1:0");
    EXPECT(fcntl(listener.fd, F_GETFL) & O_NONBLOCK);
    EXPECT(fcntl(listener.fd, F_GETFD) & FD_CLOEXEC);
    int client = connect_to(&listener);
    int accepted = accept(listener.fd, NULL, NULL);
    int nodelay = 0;
    socklen_t len = sizeof(nodelay);
    EXPECT_INT(getsockopt(accepted, IPPROTO_TCP, TCP_NODELAY, &nodelay, &len), 0);
    EXPECT(nodelay);
    close(accepted);
    close(client);
    listener_close(&listener);
}

TEST(a_bare_port_takes_clients_of_both_families)
{
    struct listener both;
    open_listener(&both, ":0");
    struct sockaddr_in sin = {.sin_family = AF_INET,
                              .sin_port = htons((uint16_t)listener_port(&both)),
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    EXPECT_INT(connect(client, (struct sockaddr *)&sin, sizeof(sin)), 0);
    int accepted = accept(both.fd, NULL, NULL);
    struct peer_address peer;
    socket_peer(accepted, &peer);
    char text[ADDRESS_TEXT_MAX];
    peer_address_format(text, &peer);
    EXPECT_TEXT(text, "127.0.0.1"); /* not ::ffff:127.0.0.1 */
    socket_local(accepted, &peer);
    EXPECT_INT(peer.port, listener_port(&both));
    close(accepted);
    close(client);
    listener_close(&both);
}

static bool opens_for_both(unsigned port)
{
    struct listener six, four;
    struct address address;
    char text[64];
    snprintf(text, sizeof(text), "[::]:%u", port);
    EXPECT_INT(address_parse(&address, span_of(text), NULL), 0);
    if (listener_open(&six, &address, NULL) != 0) {
        return false;
    }
    snprintf(text, sizeof(text), "0.0.0.0:%u", port);
    EXPECT_INT(address_parse(&address, span_of(text), NULL), 0);
    bool is_open = listener_open(&four, &address, NULL) == 0;
    if (is_open) {
        listener_close(&four);
    }
    listener_close(&six);
    return is_open;
}

TEST(an_ipv6_address_takes_ipv6_only)
{
    struct listener any_six;
    struct address address;
    EXPECT_INT(address_parse(&address, SPAN("[::]:0"), NULL), 0);
    if (listener_open(&any_six, &address, NULL) != 0) {
        test_skip("no IPv6 here");
    }
    listener_close(&any_six);
    /* The same port for IPv4: below those that the system gives to clients, of which there may be
     * thousands; another program may have one or the other. */
    bool is_open = false;
    for (unsigned port = 12000; port < 30000 && !is_open; port += 7) {
        is_open = opens_for_both(port);
    }
    EXPECT(is_open);
}

TEST(a_taken_port_is_one_clear_sentence)
{
    struct listener first;
    open_listener(&first, "127.0.0.1:0");
    char text[64], sentence[128];
    snprintf(text, sizeof(text), "127.0.0.1:%u", listener_port(&first));
    snprintf(sentence, sizeof(sentence), "listen %s: Address already in use", text);
    expect_failure(text, GALLEY_ESYS, sentence);
    listener_close(&first);
}

TEST(a_foreign_address_is_one_clear_sentence)
{
    expect_failure("192.0.2.1:0", GALLEY_ESYS,
                   "listen 192.0.2.1:0: Cannot assign requested address");
}

/* ---- unix sockets ---------------------------------------------------------------------------- */

static char folder[64];
static char unix_text[128];

static const char *unix_path(void)
{
    return unix_text + 5;
}

static void make_folder(void)
{
    snprintf(folder, sizeof(folder), "/tmp/galley-listener-XXXXXX");
    EXPECT(mkdtemp(folder) != NULL);
    snprintf(unix_text, sizeof(unix_text), "unix:%s/s", folder);
}

static bool exists(const char *path)
{
    struct stat status;
    return lstat(path, &status) == 0;
}

TEST(a_unix_socket_is_made_and_removed)
{
    struct listener listener;
    make_folder();
    open_listener(&listener, unix_text);
    EXPECT_TEXT(listener.name, unix_text);
    EXPECT_INT(listener_port(&listener), 0);
    close(connect_to(&listener));
    listener_close(&listener);
    EXPECT(!exists(unix_path()));
    EXPECT_INT(rmdir(folder), 0);
}

TEST(a_unix_socket_that_nobody_serves_is_replaced)
{
    struct listener dead, listener;
    make_folder();
    open_listener(&dead, unix_text);
    dead.unlink_on_close = false;
    listener_close(&dead);
    EXPECT(exists(unix_path()));
    open_listener(&listener, unix_text);
    close(connect_to(&listener));
    listener_close(&listener);
    EXPECT_INT(rmdir(folder), 0);
}

TEST(a_unix_socket_that_somebody_serves_is_not_taken_away)
{
    struct listener alive;
    char sentence[160];
    make_folder();
    open_listener(&alive, unix_text);
    snprintf(sentence, sizeof(sentence), "listen %s: Address already in use", unix_text);
    expect_failure(unix_text, GALLEY_ESYS, sentence);
    close(connect_to(&alive));
    listener_close(&alive);
    EXPECT_INT(rmdir(folder), 0);
}

TEST(a_file_that_is_no_socket_is_never_replaced)
{
    char sentence[160];
    make_folder();
    close(open(unix_path(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    snprintf(sentence, sizeof(sentence), "listen %s: Address already in use", unix_text);
    expect_failure(unix_text, GALLEY_ESYS, sentence);
    EXPECT(exists(unix_path()));
    unlink(unix_path());
    EXPECT_INT(rmdir(folder), 0);
}

TEST(closing_leaves_alone_what_a_successor_has_put_at_the_path)
{
    struct listener old, new;
    make_folder();
    open_listener(&old, unix_text);
    unlink(unix_path());
    open_listener(&new, unix_text);
    listener_close(&old);
    EXPECT(exists(unix_path()));
    listener_close(&new);
    EXPECT_INT(rmdir(folder), 0);
}

TEST(an_abstract_unix_socket_needs_no_file)
{
    struct listener listener;
    char text[64];
    snprintf(text, sizeof(text), "unix:@galley-test-%d", (int)getpid());
    open_listener(&listener, text);
    EXPECT_TEXT(listener.name, text);
    close(connect_to(&listener));
    listener_close(&listener);
}

/* ---- inherited ------------------------------------------------------------------------------- */

TEST(an_inherited_socket_is_checked_and_made_nonblocking)
{
    struct listener first, listener;
    open_listener(&first, "127.0.0.1:0");
    int fd = dup(first.fd);
    fcntl(fd, F_SETFL, 0);
    char text[16];
    snprintf(text, sizeof(text), "fd:%d", fd);
    open_listener(&listener, text);
    EXPECT(fcntl(listener.fd, F_GETFL) & O_NONBLOCK);
    EXPECT(fcntl(listener.fd, F_GETFD) & FD_CLOEXEC);
    EXPECT_TEXT(listener.name, first.name);
    EXPECT_INT(listener_port(&listener), listener_port(&first));
    listener_close(&listener);
    listener_close(&first);
}

TEST(an_inherited_descriptor_that_does_not_listen_is_refused)
{
    expect_failure("fd:987", GALLEY_EINVAL, "listen fd:987: not a listening stream socket");
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    char text[16], sentence[64];
    snprintf(text, sizeof(text), "fd:%d", fd);
    snprintf(sentence, sizeof(sentence), "listen fd:%d: not a listening stream socket", fd);
    expect_failure(text, GALLEY_EINVAL, sentence);
    close(fd);
    fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    expect_failure(text, GALLEY_EINVAL, sentence);
    close(fd);
}

/* tests/fuzz/fuzz_tls_link.c — the TLS transport under a script: what a hostile peer sends before,
 * during and after a handshake, and what socket and owner do meanwhile. First byte: the version,
 * and whether an honest handshake comes first. Bytes below 0xF0 are the peer's, as they are; 0xF0 to
 * 0xFF are commands with one byte behind each. Holds: every operation is called back once, `ready`
 * at most once, `closed` once and last; bytes of an honest record arrive as they were; nothing
 * stays. */
#include "base/alloc.h"
#include "fuzz.h"
#include "loop/sim.h"
#include "tls/tls_transport.h"

#include <openssl/err.h>
#include <openssl/x509.h>

/* rooms: tls */

enum command {
    COMMAND_STEP = 0xF0, /* the honest client reads and answers */
    COMMAND_SAY,         /* it encrypts so many bytes */
    COMMAND_FORGE,       /* one byte of what it says next is changed */
    COMMAND_UPDATE,      /* it updates its keys */
    COMMAND_WINDOW,
    COMMAND_MAX_READ,
    COMMAND_MAX_WRITE,
    COMMAND_RECV,
    COMMAND_SEND,
    COMMAND_SHUTDOWN, /* the owner's */
    COMMAND_CLOSE,
    COMMAND_END, /* the peer's: FIN or reset */
    COMMAND_ADVANCE,
    COMMAND_FAIL_OP,
    COMMAND_FAIL_ALLOC,
    COMMAND_LITERAL,
};

enum { IS_TLS12 = 1, IS_SHAKEN = 2, OWNER_READS = 4, TEXT_BYTES = 90 * 1024 };

static struct play {
    struct loop *loop;
    struct tls_shared *shared;
    struct sim_peer *peer;
    struct transport transport;
    struct loop_op recv_op, send_op;
    struct iovec piece;
    SSL *client;
    unsigned ready, closed, recvs, sends; /* the last two: started and not called back */
    int result;
    bool reads, has_closed, is_forged, has_failed;
    bool is_last;           /* a send was the last: close_notify is behind it */
    size_t got, said;       /* honest bytes, by their place in the text */
    size_t promised, heard; /* that the owner has begun to send, and the client has got */
    unsigned forge;
} play;

static char text[TEXT_BYTES];
static SSL_CTX *server, *client;

/* ---- the owner ------------------------------------------------------------------------------- */

static void start_recv(void);

static void on_received(struct loop_op *op)
{
    FUZZ_EXPECT(play.recvs == 1 && !play.closed);
    play.recvs = 0;
    for (ssize_t i = 0; i < op->result && play.result == 0; i++) {
        FUZZ_EXPECT(play.is_forged || op->data[i] == text[play.got % TEXT_BYTES]);
        play.got++;
    }
    FUZZ_EXPECT(play.is_forged || play.got <= play.said);
    if (op->result > 0 && play.reads && !play.has_closed) {
        start_recv();
    }
}

static void start_recv(void)
{
    play.recvs++;
    transport_recv(&play.transport, &play.recv_op, 1 + play.said % 5000, on_received);
}

static void on_sent(struct loop_op *op)
{
    FUZZ_EXPECT(play.sends == 1 && !play.closed);
    play.sends = 0;
    play.has_failed = play.has_failed || op->result <= 0;
    if (op->result > 0) {
        FUZZ_EXPECT((size_t)op->result <= play.piece.iov_len);
        play.piece.iov_base = (char *)play.piece.iov_base + op->result;
        play.piece.iov_len -= (size_t)op->result;
        if (play.piece.iov_len > 0 && !play.has_closed) {
            play.sends++;
            transport_send(&play.transport, op, &play.piece, 1, on_sent);
        }
    }
}

static void on_ready(struct transport *transport, int result)
{
    (void)transport;
    FUZZ_EXPECT(play.ready++ == 0 && !play.closed && !play.has_closed);
    play.result = result;
    if (play.reads) {
        start_recv();
    }
}

static void on_closed(struct transport *transport)
{
    (void)transport;
    FUZZ_EXPECT(play.closed++ == 0 && play.recvs == 0 && play.sends == 0);
}

static void start_send(size_t len)
{
    play.piece = (struct iovec){text, len};
    play.sends++;
    play.promised += len;
    play.send_op.more_follows = len % 7 == 0;
    play.is_last = play.send_op.is_last = len % 11 == 3 && len % 7 != 0;
    transport_send(&play.transport, &play.send_op, &play.piece, 1, on_sent);
}

static void close_transport(bool is_reset)
{
    if (!play.has_closed) {
        play.has_closed = true;
        transport_close(&play.transport, is_reset);
    }
}

/* ---- the client ------------------------------------------------------------------------------ */

static void send_bytes(const void *bytes, size_t len)
{
    (void)sim_send(play.peer, bytes, len);
    sim_run(play.loop);
}

static void send_client_output(void)
{
    char *bytes = NULL;
    long len = BIO_get_mem_data(SSL_get_wbio(play.client), &bytes);
    if (len > 0) {
        if (play.forge > 0) {
            bytes[play.forge % (unsigned)len] ^= (char)(1 + play.forge % 255);
            play.is_forged = true;
            play.forge = 0;
        }
        send_bytes(bytes, (size_t)len);
        (void)BIO_reset(SSL_get_wbio(play.client));
    }
}

/* What has an end that was said is whole. */
static void hear(void)
{
    static char bytes[16 * 1024];
    int got = 0;
    while ((got = SSL_read(play.client, bytes, sizeof bytes)) > 0) {
        play.heard += (size_t)got;
    }
    if (play.is_last && SSL_get_error(play.client, got) == SSL_ERROR_ZERO_RETURN) {
        FUZZ_EXPECT(play.heard == play.promised || play.has_failed);
    }
}

static void step(void)
{
    struct span received = sim_received(play.peer);
    if (received.len > 0) {
        BIO_write(SSL_get_rbio(play.client), received.ptr, (int)received.len);
        sim_consume(play.peer, received.len);
    }
    ERR_clear_error();
    if (SSL_is_init_finished(play.client) || SSL_do_handshake(play.client) == 1) {
        hear();
    }
    send_client_output();
}

static void say(size_t len)
{
    if (SSL_is_init_finished(play.client) && play.said + len <= TEXT_BYTES && len > 0) {
        ERR_clear_error();
        if (SSL_write(play.client, text + play.said, (int)len) > 0) {
            play.said += len;
        }
    }
    send_client_output();
}

/* ---- the script ------------------------------------------------------------------------------ */

static void control_peer(enum command command, uint8_t arg)
{
    switch (command) {
    case COMMAND_STEP:
        step();
        break;
    case COMMAND_SAY:
        say((size_t)arg * arg / 4);
        break;
    case COMMAND_FORGE:
        play.forge = 1 + arg;
        break;
    case COMMAND_UPDATE:
        ERR_clear_error();
        (void)SSL_key_update(play.client, arg % 2);
        say(1);
        break;
    case COMMAND_END:
        arg % 2 ? sim_reset(play.peer) : sim_shutdown(play.peer);
        break;
    case COMMAND_WINDOW:
        sim_set_window(play.peer, arg == 0xFF ? SIZE_MAX : (size_t)arg * arg);
        break;
    case COMMAND_MAX_READ:
        sim_set_max_read(play.peer, arg);
        break;
    default:
        sim_set_max_write(play.peer, (size_t)arg * 16);
    }
}

static void fail_operation(uint8_t arg)
{
    static const int errors[] = {ECONNRESET, EPIPE, ENOMEM, ETIMEDOUT};
    sim_fail_next(play.peer, arg % 2 ? LOOP_OP_RECV : LOOP_OP_SEND, errors[arg / 2 % 4]);
}

static void control_owner(enum command command, uint8_t arg)
{
    if (play.has_closed) {
        return;
    }
    switch (command) {
    case COMMAND_RECV:
        play.reads = arg % 2;
        if (play.recvs == 0 && play.ready) {
            start_recv();
        }
        break;
    case COMMAND_SEND:
        if (play.sends == 0 && play.ready && !play.is_last) {
            start_send(1 + (size_t)arg * 300);
        }
        break;
    case COMMAND_SHUTDOWN:
        if (play.sends == 0 && play.ready) {
            (void)!transport_shutdown_write(&play.transport);
        }
        break;
    default:
        close_transport(arg % 2);
    }
}

static void run_command(enum command command, uint8_t arg)
{
    switch (command) {
    case COMMAND_RECV:
    case COMMAND_SEND:
    case COMMAND_SHUTDOWN:
    case COMMAND_CLOSE:
        control_owner(command, arg);
        break;
    case COMMAND_ADVANCE:
        sim_advance(play.loop, (int64_t)arg * 20);
        break;
    case COMMAND_FAIL_OP:
        fail_operation(arg);
        break;
    case COMMAND_FAIL_ALLOC:
        mem_fail_nth((uint64_t)arg + 1);
        break;
    case COMMAND_LITERAL:
        play.is_forged = true;
        send_bytes(&arg, 1);
        break;
    default:
        control_peer(command, arg);
    }
    sim_run(play.loop);
}

/* ---- beginning and end ------------------------------------------------------------------------ */

static void make_contexts(void)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *cert = X509_new();
    server = SSL_CTX_new(TLS_server_method());
    client = SSL_CTX_new(TLS_client_method());
    FUZZ_EXPECT(key && cert && server && client);
    X509_gmtime_adj(X509_getm_notBefore(cert), 0);
    X509_gmtime_adj(X509_getm_notAfter(cert), 86400);
    X509_set_pubkey(cert, key);
    X509_sign(cert, key, EVP_sha256());
    SSL_CTX_use_certificate(server, cert);
    SSL_CTX_use_PrivateKey(server, key);
    SSL_CTX_set_options(server, SSL_OP_NO_RENEGOTIATION);
    X509_free(cert);
    EVP_PKEY_free(key);
    for (size_t i = 0; i < TEXT_BYTES; i++) {
        text[i] = (char)(i ^ i >> 8);
    }
}

static void open_play(uint8_t flags)
{
    static const struct transport_told told = {on_ready, on_closed};
    int fd = -1;
    play = (struct play){.reads = flags & OWNER_READS};
    play.loop = loop_create(&(struct loop_options){.backend = LOOP_BACKEND_SIM}, NULL);
    play.shared = tls_shared_create(play.loop);
    play.peer = sim_pair(play.loop, &fd);
    SSL_CTX_up_ref(server);
    FUZZ_EXPECT(tls_transport_open(&play.transport, play.shared, fd, server, &told) == 0);
    play.client = SSL_new(client);
    SSL_set_max_proto_version(play.client, flags & IS_TLS12 ? TLS1_2_VERSION : TLS1_3_VERSION);
    BIO *in = BIO_new(BIO_s_mem());
    BIO_set_mem_eof_return(in, -1);
    SSL_set_bio(play.client, in, BIO_new(BIO_s_mem()));
    SSL_set_connect_state(play.client);
    for (int i = 0; i < 3 && (flags & IS_SHAKEN); i++) {
        step();
    }
    FUZZ_EXPECT(!(flags & IS_SHAKEN) || (play.ready == 1 && play.result == 0));
}

static void close_play(void)
{
    mem_fail_nth(0);
    close_transport(play.said % 2);
    sim_advance(play.loop, 2000);
    FUZZ_EXPECT(play.closed == 1);
    sim_peer_free(play.peer);
    sim_run(play.loop);
    FUZZ_EXPECT(sim_open_count(play.loop) == 0);
    SSL_free(play.client);
    ERR_clear_error();
    tls_shared_destroy(play.shared);
    loop_destroy(play.loop);
    FUZZ_EXPECT(mem_live_blocks() == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0 || size > 4 * 1024) {
        return 0;
    }
    if (!server) {
        make_contexts();
    }
    open_play(data[0]);
    size_t raw = 1; /* where the bytes begin that are still to be sent */
    for (size_t i = 1; i <= size; i++) {
        bool is_command = i < size && data[i] >= COMMAND_STEP;
        if ((is_command || i == size) && i > raw) {
            play.is_forged = true;
            send_bytes(data + raw, i - raw);
        }
        if (is_command) {
            if (i + 1 < size) {
                run_command((enum command)data[i], data[i + 1]);
            }
            raw = ++i + 1;
        }
    }
    close_play();
    return 0;
}

/* tests/programs/swap_race.c — a load client that asks for files while a directory is swapped for a
 * link that leads out.
 *
 *     swap_race ADDRESS PORT ROOT REQUESTS CONNECTIONS SECRET
 *
 * In ROOT stand `real` (a directory) and `evil` (a symbolic link that leads out of the root to a
 * directory of the same shape). One thread swaps the name `swap` between them as fast as it can;
 * CONNECTIONS threads send pipelined GETs for paths through `swap` and look for SECRET in every
 * byte that comes back. Prints one line: "answers A found F leaks L swaps S", where F counts status
 * 200. Exit 0 when all REQUESTS were answered and L is 0. Not a test of the server's speed: nothing
 * here looks at a clock.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BATCH 64

static const char *const paths[] = {"/swap/a.txt", "/swap/b/c.txt", "/swap/",
                                    "/link",       "/swap",         "/swap/b/../a.txt"};

struct race {
    struct sockaddr_in address;
    const char *secret;
    unsigned long per_client;
    int root;
    atomic_bool is_over;     /* main -> swapper */
    atomic_ulong swaps;      /* swapper -> main */
    atomic_ulong answers;    /* clients -> main */
    atomic_ulong found;      /* clients -> main */
    atomic_ulong leaks;      /* clients -> main */
    atomic_ulong was_broken; /* clients -> main: answers that could not be read */
};

/* `swap` is a link to a directory inside or to one outside; then a directory itself, then a link
 * out. */
static void *swap_for_ever(void *arg)
{
    struct race *race = arg;
    while (!atomic_load(&race->is_over)) {
        renameat2(race->root, "swap", race->root, "evil", RENAME_EXCHANGE);
        renameat2(race->root, "swap", race->root, "evil", RENAME_EXCHANGE);
        renameat2(race->root, "swap/b", race->root, "evil2", RENAME_EXCHANGE);
        renameat2(race->root, "swap/b", race->root, "evil2", RENAME_EXCHANGE);
        atomic_fetch_add(&race->swaps, 4);
    }
    return NULL;
}

struct reader {
    struct race *race;
    int fd;
    size_t len;
    char data[1 << 16];
};

/* One whole answer at the start of the buffer, or 0 if more bytes are needed. Only Content-Length
 * framing: what a file server sends. */
static size_t answer_size(const struct reader *reader)
{
    const char *end = memmem(reader->data, reader->len, "\r\n\r\n", 4);
    if (!end)
        return 0;
    size_t head = (size_t)(end - reader->data) + 4;
    const char *field = memmem(reader->data, head, "\r\nContent-Length: ", 18);
    size_t body = field ? strtoul(field + 18, NULL, 10) : 0;
    return reader->len >= head + body ? head + body : 0;
}

static bool read_answer(struct reader *reader)
{
    size_t size;
    while (!(size = answer_size(reader))) {
        if (reader->len == sizeof reader->data - 1)
            return false;
        ssize_t got =
            recv(reader->fd, reader->data + reader->len, sizeof reader->data - 1 - reader->len, 0);
        if (got <= 0)
            return false;
        reader->len += (size_t)got;
        reader->data[reader->len] = '\0';
    }
    struct race *race = reader->race;
    if (memmem(reader->data, size, race->secret, strlen(race->secret)))
        atomic_fetch_add(&race->leaks, 1);
    if (!memcmp(reader->data, "HTTP/1.1 200", 12))
        atomic_fetch_add(&race->found, 1);
    atomic_fetch_add(&race->answers, 1);
    memmove(reader->data, reader->data + size, reader->len - size);
    reader->len -= size;
    return true;
}

static bool send_batch(int fd, unsigned long first, unsigned long count)
{
    char text[BATCH * 64];
    size_t len = 0;
    for (unsigned long i = first; i < first + count; i++)
        len += (size_t)snprintf(text + len, sizeof text - len, "GET %s HTTP/1.1\r\nHost: a\r\n\r\n",
                                paths[i % (sizeof paths / sizeof *paths)]);
    return send(fd, text, len, MSG_NOSIGNAL) == (ssize_t)len;
}

static bool read_batch(struct reader *reader, unsigned long count)
{
    for (unsigned long i = 0; i < count; i++)
        if (!read_answer(reader))
            return false;
    return true;
}

static void *run_client(void *arg)
{
    struct race *race = arg;
    struct reader *reader = calloc(1, sizeof *reader);
    bool is_well = reader != NULL;
    if (is_well) {
        reader->race = race;
        reader->fd = socket(AF_INET, SOCK_STREAM, 0);
        is_well = connect(reader->fd, (struct sockaddr *)&race->address, sizeof race->address) == 0;
    }
    for (unsigned long done = 0; is_well && done < race->per_client;) {
        unsigned long left = race->per_client - done, count = left < BATCH ? left : BATCH;
        is_well = send_batch(reader->fd, done, count) && read_batch(reader, count);
        done += count;
    }
    if (!is_well)
        atomic_fetch_add(&race->was_broken, 1);
    if (reader)
        close(reader->fd);
    free(reader);
    return NULL;
}

static int run(struct race *race, unsigned clients)
{
    pthread_t swapper, threads[64];
    unsigned started = 0;
    if (pthread_create(&swapper, NULL, swap_for_ever, race))
        return 1;
    while (started < clients && started < 64 &&
           !pthread_create(&threads[started], NULL, run_client, race))
        started++;
    for (unsigned i = 0; i < started; i++)
        pthread_join(threads[i], NULL);
    atomic_store(&race->is_over, true);
    pthread_join(swapper, NULL);
    printf("answers %lu found %lu leaks %lu swaps %lu broken %lu\n", race->answers, race->found,
           race->leaks, race->swaps, race->was_broken);
    bool is_whole = race->answers == race->per_client * clients && !race->was_broken;
    return is_whole && !race->leaks ? 0 : 1;
}

int main(int argc, char **argv)
{
    if (argc != 7) {
        fprintf(stderr, "swap_race ADDRESS PORT ROOT REQUESTS CONNECTIONS SECRET\n");
        return 2;
    }
    unsigned clients = (unsigned)strtoul(argv[5], NULL, 10);
    struct race race = {.secret = argv[6], .root = open(argv[3], O_RDONLY | O_DIRECTORY)};
    race.address.sin_family = AF_INET;
    race.address.sin_port = htons((unsigned short)strtoul(argv[2], NULL, 10));
    if (race.root < 0 || clients == 0 || inet_pton(AF_INET, argv[1], &race.address.sin_addr) != 1)
        return 2;
    race.per_client = strtoul(argv[4], NULL, 10) / clients;
    return run(&race, clients);
}

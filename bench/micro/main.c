/* bench/micro/main.c — runs every step 1000 times inside micro_measured(), by which
 * tools/check_instructions tells callgrind what to count, and prints the steps' names in that
 * order. */
#include "micro.h"

#include <stdio.h>
#include <stdlib.h>

enum { WARM_ROUNDS = 16, ROUNDS = 1000 };

void micro_measured(const struct micro *micro);

void micro_need(bool condition, const char *what)
{
    if (!condition) {
        fprintf(stderr, "bench_micro: %s\n", what);
        exit(1);
    }
}

void micro_keep(uint64_t value)
{
    __asm__ volatile("" : : "r"(value) : "memory");
}

/* tools/check_instructions knows the name; "used" keeps the compiler from changing it. What follows the call keeps it from being the last
 * thing: callgrind would see a jump and believe that this function has ended. */
__attribute__((noinline, used)) void micro_measured(const struct micro *micro)
{
    micro->run(ROUNDS);
    micro_keep(ROUNDS);
}

static void run_all(const struct micro *micros)
{
    for (const struct micro *micro = micros; micro->name; micro++) {
        if (micro->prepare) {
            micro->prepare();
        }
        micro->run(WARM_ROUNDS);
        micro_measured(micro);
        printf("%s\n", micro->name);
    }
}

int main(void)
{
    run_all(micro_wire);
    run_all(micro_http);
    run_all(micro_route);
    run_all(micro_files);
    run_all(micro_timer);
    run_all(micro_log);
    run_all(micro_hpack);
    return 0;
}

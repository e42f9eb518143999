#define _GNU_SOURCE
#include <rte_config.h>
#include "DPDKShim.h"
#include <time.h>

static uint64_t nanoseconds(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC_RAW, &time);
    return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

sluice_instant sluice_instant_now(void) {
    sluice_instant best = { 0, 0 };
    uint64_t least = UINT64_MAX;
    for (int i = 0; i < 32; i++) {
        uint64_t before = rte_rdtsc(), time = nanoseconds(), after = rte_rdtsc();
        if (after - before >= least) continue;
        least = after - before;
        best = (sluice_instant){ .cycles = before + least / 2, .nanoseconds = time };
    }
    return best;
}

uint64_t sluice_cycles_per_second(sluice_instant since) {
    const uint64_t enough = 100000000;
    sluice_instant now = sluice_instant_now();
    while (now.nanoseconds - since.nanoseconds < enough) {
        struct timespec rest = { .tv_nsec = (long)(enough - (now.nanoseconds - since.nanoseconds)) };
        nanosleep(&rest, NULL);
        now = sluice_instant_now();
    }
    return (uint64_t)((unsigned __int128)(now.cycles - since.cycles) * 1000000000 / (now.nanoseconds - since.nanoseconds));
}

#define _GNU_SOURCE
#include "Spinner.h"
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { line = 64, bound = 20000 };

/* Only the thread writes these. */
static struct {
    _Alignas(128) atomic_uint_fast64_t blocks;
    atomic_uint_fast64_t lost;
    uint64_t *memory;
    size_t lines;
} spinner;

static uint64_t now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

/* Eight chains of operations that do not depend on each other, so that two threads of one core would halve each other's rate. The compiler must neither
   merge nor remove them. */
static void compute(void) {
    uint64_t a = 1, b = 2, c = 3, d = 4, e = 5, f = 6, g = 7, h = 8;
    for (int i = 0; i < 2000; i++) {
        a += 3, b ^= 5, c += 7, d ^= 11, e += 13, f ^= 17, g += 19, h ^= 23;
        __asm__ volatile("" : "+r"(a), "+r"(b), "+r"(c), "+r"(d), "+r"(e), "+r"(f), "+r"(g), "+r"(h));
    }
}

static uint64_t work(uint64_t state) {
    for (int i = 0; i < 500; i++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        spinner.memory[(state >> 33 & (spinner.lines - 1)) * (line / sizeof *spinner.memory)]++;
    }
    return state;
}

static void *spin(void *unused) {
    (void)unused;
    uint64_t state = 1, last = now();
    for (;;) {
        if (spinner.memory) state = work(state);
        else compute();
        uint64_t time = now();
        if (time - last >= bound)
            atomic_store_explicit(&spinner.lost, atomic_load_explicit(&spinner.lost, memory_order_relaxed) + (time - last), memory_order_relaxed);
        last = time;
        atomic_store_explicit(&spinner.blocks, atomic_load_explicit(&spinner.blocks, memory_order_relaxed) + 1, memory_order_relaxed);
    }
}

int spinner_start(int cpu, size_t memory) {
    if (memory & (memory - 1)) return -EINVAL;
    if (memory) {
        spinner.memory = aligned_alloc(line, memory);
        if (!spinner.memory) return -ENOMEM;
        memset(spinner.memory, 1, memory);
        spinner.lines = memory / line;
    }
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    int result = pthread_attr_setaffinity_np(&attributes, sizeof set, &set);
    pthread_t thread;
    if (result == 0) result = pthread_create(&thread, &attributes, spin, NULL);
    pthread_attr_destroy(&attributes);
    return -result;
}

spinner_reading spinner_read(void) {
    return (spinner_reading){
        .blocks = atomic_load_explicit(&spinner.blocks, memory_order_relaxed), .lost = atomic_load_explicit(&spinner.lost, memory_order_relaxed), .nanoseconds = now()};
}
